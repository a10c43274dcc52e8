package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	publicKeys = `{"keys":[{"kty":"RSA","kid":"k1","alg":"RS256","use":"sig","n":"AQAB","e":"AQAB"}]}`
	issuerURL  = "http://gitlab-stub.test:8080"
	auditPath  = "/api/v4/internal/secrets_manager/audit_logs"
	auditToken = "an-audit-token"
)

// running is a stub that serves on a loopback port until the test ends.
type running struct {
	url, keys, token string
	stop             context.CancelFunc
	done             chan error
}

func start(t *testing.T) *running {
	t.Helper()
	dir := t.TempDir()
	r := &running{keys: filepath.Join(dir, "jwks.json"), token: filepath.Join(dir, "token"), done: make(chan error, 1)}
	write(t, r.keys, publicKeys)
	write(t, r.token, auditToken+"\n")
	stub, err := newStub(issuerURL, r.keys, r.token, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + listener.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r.stop = cancel
	go func() { r.done <- serve(ctx, listener, stub) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-r.done:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(2 * shutdownGrace):
			t.Error("serve does not end")
		}
	})
	return r
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// do sends one request on a connection of its own and returns status and body;
// status 0 means that no answer came.
func (r *running) do(t *testing.T, ctx context.Context, method, path, body string, header http.Header) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	return r.do(t, t.Context(), http.MethodGet, path, "", http.Header{})
}

// record posts one audit record with the right token.
func (r *running) record(t *testing.T, ctx context.Context, body string) (int, string) {
	t.Helper()
	return r.do(t, ctx, http.MethodPost, auditPath, body, http.Header{
		tokenHeader:    {auditToken},
		"Content-Type": {"application/json"},
	})
}

func (r *running) control(t *testing.T, body string) {
	t.Helper()
	if status, text := r.do(t, t.Context(), http.MethodPost, "/-/control", body,
		http.Header{}); status != http.StatusNoContent {
		t.Fatalf("control %s: %d %s", body, status, text)
	}
}

func (r *running) counters(t *testing.T) counters {
	t.Helper()
	_, text := r.get(t, "/-/counters")
	var c counters
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return c
}

// eventually polls until ok is true, and fails after 10 seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not happen", what)
		}
	}
}
