package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	right := func() http.Header {
		return http.Header{tokenHeader: {auditToken}, "Content-Type": {"application/json; charset=utf-8"}}
	}
	cases := []struct {
		name, body string
		alter      func(http.Header)
		want       int
	}{
		{"record", `{"type":"request"}`, func(http.Header) {}, http.StatusAccepted},
		{"wrong token", `{}`, func(h http.Header) { h.Set(tokenHeader, auditToken+"x") }, http.StatusUnauthorized},
		{"no token", `{}`, func(h http.Header) { h.Del(tokenHeader) }, http.StatusUnauthorized},
		{"content type", `{}`, func(h http.Header) { h.Set("Content-Type", "text/plain") }, http.StatusBadRequest},
		{"no JSON", `{`, func(http.Header) {}, http.StatusBadRequest},
		{"too large", `"` + strings.Repeat("a", maxRecord) + `"`, func(http.Header) {}, http.StatusRequestEntityTooLarge},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, header := start(t), right()
			tt.alter(header)
			status, text := r.do(t, t.Context(), http.MethodPost, auditPath, tt.body, header)
			if status != tt.want || strings.Contains(text, auditToken) {
				t.Fatalf("%d %s", status, text)
			}
			c := r.counters(t)
			accepted := int64(0)
			if tt.want == http.StatusAccepted {
				accepted = 1
			}
			if c.Records != accepted || c.RecordBytes != accepted*int64(len(tt.body)) || c.Endpoints["audit"].Requests != 1 {
				t.Fatalf("got %+v", c)
			}
		})
	}
}

// TestAuditToken checks that the token follows its file, and that without one nothing is accepted.
func TestAuditToken(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, token := range []string{"rotated", "", "  \n"} {
		write(t, r.token, token)
		if status, _ := r.record(t, t.Context(), `{}`); status != http.StatusUnauthorized {
			t.Fatalf("token file %q: %d", token, status)
		}
	}
	write(t, r.token, auditToken)
	if status, _ := r.record(t, t.Context(), `{}`); status != http.StatusAccepted {
		t.Fatalf("got %d", status)
	}
}

func TestFaultStatus(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.control(t, `{"audit":{"status":503}}`)
	if status, _ := r.record(t, t.Context(), `{}`); status != http.StatusServiceUnavailable {
		t.Fatalf("got %d", status)
	}
	if status, _ := r.get(t, "/.well-known/openid-configuration"); status != http.StatusOK {
		t.Fatalf("another endpoint answers %d", status)
	}
	r.control(t, `{"audit":{},"discovery":{"status":500}}`)
	if status, _ := r.record(t, t.Context(), `{}`); status != http.StatusAccepted {
		t.Fatalf("after lifting: %d", status)
	}
	if status, _ := r.get(t, "/.well-known/openid-configuration"); status != http.StatusInternalServerError {
		t.Fatalf("discovery answers %d", status)
	}
	c := r.counters(t)
	if got := c.Endpoints["audit"].Statuses; got["503"] != 1 || got["202"] != 1 || c.Records != 1 {
		t.Fatalf("got %+v", c)
	}
}

func TestFaultDelay(t *testing.T) {
	t.Parallel()
	r := start(t)
	const delay = 200 * time.Millisecond
	r.control(t, `{"audit":{"delay":"200ms"}}`)
	begin := time.Now()
	if status, _ := r.record(t, t.Context(), `{}`); status != http.StatusAccepted {
		t.Fatalf("got %d", status)
	}
	if took := time.Since(begin); took < delay {
		t.Fatalf("took %s", took)
	}
}

// TestFaultBlackhole checks that requests are held until the fault is lifted, and that
// then they are answered as usual.
func TestFaultBlackhole(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.control(t, `{"audit":{"blackhole":true}}`)
	answered := make(chan int, 1)
	go func() {
		status, _ := r.record(t, context.WithoutCancel(t.Context()), `{}`)
		answered <- status
	}()
	eventually(t, "request held", func() bool { return r.counters(t).Endpoints["audit"].InFlight == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if status, _ := r.record(t, ctx, `{}`); status != 0 {
		t.Fatalf("a black hole answers %d", status)
	}
	r.control(t, `{"audit":{}}`)
	if status := <-answered; status != http.StatusAccepted {
		t.Fatalf("got %d", status)
	}
}

// TestStopReleasesHeldRequests checks that a black hole does not keep the program alive.
func TestStopReleasesHeldRequests(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.control(t, `{"audit":{"blackhole":true}}`)
	answered := make(chan int, 1)
	go func() {
		status, _ := r.record(t, context.WithoutCancel(t.Context()), `{}`)
		answered <- status
	}()
	eventually(t, "request held", func() bool { return r.counters(t).Endpoints["audit"].InFlight == 1 })
	r.stop()
	if status := <-answered; status != 0 {
		t.Fatalf("got %d", status)
	}
}

func TestBadControl(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, body := range []string{
		``, `[]`, `{"audit":{"statuss":500}}`, `{"audit":{"status":99}}`, `{"audit":{"delay":"-1s"}}`,
		`{"audit":{"delay":"11m"}}`, `{"audit":{"delay":5}}`, `{"oidc":{}}`, `{"audit":{"status":500},"oidc":{}}`,
		`{"audit":{}} {"audit":{}}`,
	} {
		status, text := r.do(t, t.Context(), http.MethodPost, "/-/control", body, http.Header{})
		if status != http.StatusBadRequest || !strings.Contains(text, "control") {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if c := r.counters(t); c.Faults["audit"] != (fault{}) {
		t.Fatalf("a refused request set %+v", c.Faults)
	}
	if c := r.counters(t); c.Connections < 11 {
		t.Fatalf("counted %d connections", c.Connections)
	}
}
