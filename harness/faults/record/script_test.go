package record

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestScript: what a step shows, and what makes a try say nothing.
func TestScript(t *testing.T) {
	t.Parallel()
	always := &atomic.Bool{}
	always.Store(true)
	answers := func(status int, body string) func(*fake, *http.Request) (int, string) {
		return func(*fake, *http.Request) (int, string) { return status, body }
	}
	ask := func(w *Shows) []Step { return []Step{{Send: "GET a", Shows: w}} }
	look := func(w *Shows) []Step { return []Step{{Shows: w}} }
	for name, tc := range map[string]struct {
		answer func(*fake, *http.Request) (int, string)
		change func(*fake)
		steps  []Step
		found  bool
		fails  string
	}{
		"status":       {answers(403, ""), nil, ask(&Shows{Status: []int{403}}), true, ""},
		"other status": {answers(404, ""), nil, ask(&Shows{Status: []int{403}}), false, ""},
		"body":         {answers(200, "leases 52"), nil, ask(&Shows{Body: `leases 5\d`}), true, ""},
		"other body":   {answers(200, "leases 2"), nil, ask(&Shows{Body: `leases 5\d`}), false, ""},
		"both":         {answers(500, "leases 52"), nil, ask(&Shows{Status: []int{200}, Body: "leases"}), false, ""},
		"silent":       {hanging(always), nil, ask(&Shows{Silent: true}), true, ""},
		"not silent":   {answers(500, ""), nil, ask(&Shows{Silent: true}), false, ""},
		"gone is not silent": {
			nil, func(f *fake) { f.url = "http://127.0.0.1:1" }, ask(&Shows{Silent: true}), false,
			"refused",
		},
		"no answer": {hanging(always), nil, ask(&Shows{Status: []int{200}}), false, "deadline"},
		"precondition": {answers(500, "broken"), nil, append([]Step{{Send: "POST b"}},
			ask(&Shows{Status: []int{500}})...), false, "status 500: broken"},
		"wanted": {answers(500, ""), nil, append([]Step{{Send: "POST b", Want: []int{500}}},
			ask(&Shows{Status: []int{500}})...), true, ""},
		"any": {answers(500, ""), nil, append([]Step{{Send: "POST b", Any: true}},
			ask(&Shows{Status: []int{500}})...), true, ""},
		"not saved": {
			nil, nil,
			[]Step{{Send: "GET a", As: "reader", Shows: &Shows{Status: []int{200}}}},
			false,
			"nothing was saved",
		},
		"no such text": {
			nil, nil,
			[]Step{{Send: "GET a", Save: map[string]string{"x": "data.none"}}},
			false,
			"data.none",
		},
		"died":      {nil, func(f *fake) { f.dead = true }, look(&Shows{Gone: true}), true, ""},
		"lives":     {nil, nil, look(&Shows{Gone: true}), false, ""},
		"same lock": {nil, nil, look(&Shows{Lock: same}), true, ""},
		"other lock": {
			nil, func(f *fake) { f.did = func(f *fake, _ string) { f.holder = "second" } },
			append([]Step{{Do: "remove-lock"}}, look(&Shows{Lock: same})...), false, "",
		},
		"audit":    {nil, func(f *fake) { f.log = "help\nid x\n" }, look(&Shows{Audit: "help"}), true, ""},
		"no audit": {nil, func(f *fake) { f.log = "list\n" }, look(&Shows{Audit: "help"}), false, ""},
		"without": {
			nil, func(f *fake) { f.log = "help\nhelp id\n" }, look(&Shows{Audit: "help", Without: "id"}),
			true, "",
		},
		"never without": {
			nil, func(f *fake) { f.log = "help id\nother\n" }, look(&Shows{Audit: "help", Without: "id"}),
			false, "",
		},
		"two that show": {
			answers(200, ""), nil, append(ask(&Shows{Status: []int{200}}), look(&Shows{Gone: true})...),
			false, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, tc.answer)
			if tc.change != nil {
				tc.change(f)
			}
			found, s, err := tryOn(t, f, tc.steps)
			require.Equal(t, tc.found, found)
			if tc.fails != "" {
				require.ErrorContains(t, err, tc.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.found, len(s.proof) > 0)
		})
	}
}

// TestRequests: who asks, what was saved, numbers and headers are in the requests.
func TestRequests(t *testing.T) {
	t.Parallel()
	var bodies, headers atomic.Value
	headers.Store("")
	f := newFake(t, func(_ *fake, r *http.Request) (int, string) {
		text := new(strings.Builder)
		_ = r.Write(text)
		if r.Method == http.MethodPost {
			bodies.Store(text.String())
		}
		headers.Store(headers.Load().(string) + text.String())
		return 0, ""
	})
	_, s, err := tryOn(t, f, []Step{
		{Send: "POST token", Save: map[string]string{"reader": "auth.client_token", "accessor": "auth.accessor"}},
		{Send: "GET kv/${accessor}", As: "reader"},
		{Send: "GET n${n}", Repeat: 2, As: "nobody"},
		{Send: "GET inline", As: "inline", Header: map[string]string{"X-Team": "${accessor}"}},
		{Send: "POST back", Body: map[string]any{"of": "${accessor}"}},
		{Together: []Step{{Send: "GET t${c}"}}, Clients: 2},
	})
	require.NoError(t, err)
	require.Equal(t, "saved-token", s.saved["reader"])
	require.Subset(t, f.asked, []string{
		"POST token admin", "GET kv/saved-accessor saved-token", "GET n3 ", "GET n4 ", "GET inline ", "GET t0 admin",
		"GET t1 admin",
	})
	require.Contains(t, bodies.Load(), `{"of":"saved-accessor"}`)
	require.Contains(t, headers.Load(), "X-Team: saved-accessor")
	require.Contains(t, headers.Load(), "X-Vault-Inline-Auth-Path: auth/jwt/login")
}
