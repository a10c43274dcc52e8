package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/perf/fixture"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// These servers misbehave as a real OpenBao cannot be made to; integration_test.go has the real
// one.

const goodAnswer = `{"request_id":"1","lease_id":"","data":{"data":{"value":"s\u00fc\"\/ß"},"metadata":{"version":1}}}`

func planFor(t *testing.T, target string) *Plan {
	t.Helper()
	plan, err := NewPlan(fixtureFor(target))
	require.NoError(t, err)
	return plan
}

func fixtureFor(target string) *fixture.Fixture {
	return &fixture.Fixture{
		Version: 1, Target: target,
		Tenants: []fixture.Tenant{{
			Name: "org_1/group_5/project_7", SecretPath: "org_1/group_5/project_7/secrets/kv/data/explicit",
			AuthPath: "org_1/group_5/project_7/auth/pipeline_jwt/cel/login", Role: "all_pipelines", JWT: "a.b.c",
			Secrets: []fixture.Secret{{Name: "TOKEN", SHA256: sha256.Sum256([]byte(`sü"/ß`))}},
		}},
	}
}

func clientFor(t *testing.T, target string) *Client {
	t.Helper()
	c := &Client{
		Plan: planFor(t, target), Dial: (&net.Dialer{}).DialContext, Timeout: 10 * time.Second,
		Rand: rand.New(rand.NewPCG(1, 2)),
	}
	t.Cleanup(c.Close)
	return c
}

// choose draws a tenant, one of its secrets and one of its jobs, each uniformly.
func choose(p *Plan, rng *rand.Rand) Choice { return p.Select(&Selection{}, p.Whole(), rng) }

func one(ctx context.Context, c *Client) Result {
	return c.Fetch(ctx, Inline, choose(c.Plan, rand.New(rand.NewPCG(1, 1))))
}

// TestRequest checks the request against what GitLab Runner sends.
func TestRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = w.Write([]byte(goodAnswer))
	}))
	defer server.Close()
	require.Equal(t, Result{Status: 200}, summary(one(t.Context(), clientFor(t, server.URL))))

	require.Equal(t, http.MethodGet, got.Method)
	require.Equal(t, "/v1/org_1/group_5/project_7/secrets/kv/data/explicit/TOKEN", got.RequestURI)
	require.Equal(t, server.Listener.Addr().String(), got.Host)
	param := func(s string) []string { return []string{base64.RawURLEncoding.EncodeToString([]byte(s))} }
	require.Equal(t, http.Header{
		"X-Vault-Request":                          {"true"},
		"X-Vault-Inline-Auth-Path":                 {"org_1/group_5/project_7/auth/pipeline_jwt/cel/login"},
		"X-Vault-Inline-Auth-Parameter-Jwt":        param(`{"key":"jwt","value":"a.b.c"}`),
		"X-Vault-Inline-Auth-Parameter-Role":       param(`{"key":"role","value":"all_pipelines"}`),
		http.CanonicalHeaderKey("User-Agent"):      {"Go-http-client/1.1"},
		http.CanonicalHeaderKey("Accept-Encoding"): {"gzip"},
	}, got.Header)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		want   Result
	}{
		"right": {200, goodAnswer, Result{Status: 200}},
		"wrong": {200, `{"data":{"data":{"value":"other"}}}`, Result{
			Status: 200, Outcome: Wrong,
			Class: classValue,
		}},
		"empty": {200, `{"data":{"data":{"value":""}}}`, Result{
			Status: 200, Outcome: Wrong,
			Class: classValue,
		}},
		"no value": {200, `{"data":{"data":{}}}`, Result{
			Status: 200, Outcome: Failed,
			Class: classMalformed,
		}},
		"not a string": {200, `{"data":{"data":{"value":7}}}`, Result{
			Status: 200, Outcome: Failed,
			Class: classMalformed,
		}},
		"not JSON": {200, `sign in`, Result{Status: 200, Outcome: Failed, Class: classMalformed}},
		"denied": {403, `{"errors":["permission denied"]}`, Result{
			Status: 403, Outcome: Failed,
			Class: classStatus,
		}},
		"right, but 500": {500, goodAnswer, Result{Status: 500, Outcome: Failed, Class: classStatus}},
		"redirect":       {307, goodAnswer, Result{Status: 307, Outcome: Failed, Class: classStatus}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer server.Close()
			require.Equal(t, tc.want, summary(one(t.Context(), clientFor(t, server.URL))))
		})
	}
}

// TestConnections counts what the server sees: one connection per fetch as Runner makes them, or
// one for all.
func TestConnections(t *testing.T) {
	t.Parallel()
	for reuse, want := range map[bool]int64{false: 5, true: 1} {
		t.Run(fmt.Sprintf("reuse=%v", reuse), func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(goodAnswer))
			}))
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					conns.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			c := clientFor(t, server.URL)
			c.Reuse = reuse
			for range 5 {
				require.Equal(t, OK, one(t.Context(), c).Outcome)
			}
			require.Equal(t, want, conns.Load())

			if reuse {
				// A server that closes idle connections, as proxies do, is not a failure.
				server.CloseClientConnections()
				require.Equal(t, OK, one(t.Context(), c).Outcome)
				require.Equal(t, want+1, conns.Load())
			}
		})
	}
}

// scripted answers each connection with what say returns after the request's end, and closes it.
func scripted(t *testing.T, say func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			_, _ = nc.Read(buf)
			say(nc)
			nc.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String()
}

func TestFailures(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { silent.Close() })

	for name, tc := range map[string]struct {
		target  string
		timeout time.Duration
		want    Class
	}{
		"nothing listens": {target: "http://" + closed.Addr().String(), want: classRefused},
		"no answer": {
			target: "http://" + silent.Addr().String(), timeout: 50 * time.Millisecond,
			want: classTimeout,
		},
		"closed at once": {target: scripted(t, func(net.Conn) {}), want: classReset},
		"half an answer": {
			target: scripted(t, func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")) }),
			want:   classReset,
		},
		"reset": {target: scripted(t, func(c net.Conn) {
			if tc, ok := c.(*net.TCPConn); ok {
				_ = tc.SetLinger(0)
			}
		}), want: classReset},
		"not HTTP": {
			target: scripted(t, func(c net.Conn) { _, _ = c.Write([]byte("220 mail ESMTP\r\n")) }),
			want:   classProtocol,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clientFor(t, tc.target)
			c.Reuse = true
			if tc.timeout > 0 {
				c.Timeout = tc.timeout
			}
			require.Equal(t, Result{Outcome: Failed, Class: tc.want}, summary(one(t.Context(), c)))
			// The broken connection is not used again.
			require.Equal(t, Result{Outcome: Failed, Class: tc.want}, summary(one(t.Context(), c)))
		})
	}
	t.Run("no connection", func(t *testing.T) {
		t.Parallel()
		c := clientFor(t, "http://127.0.0.1:1")
		c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("blocked host") }
		require.Equal(t, classDial, one(t.Context(), c).Class)
	})
}

// TestTimeoutIsKept checks that the timeout bounds the whole fetch and is what the result shows.
func TestTimeoutIsKept(t *testing.T) {
	t.Parallel()
	c := clientFor(t, scripted(t, func(nc net.Conn) {
		// A few bytes now and then keep a timeout of single reads from ever ending.
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := nc.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
				return
			}
		}
	}))
	c.Timeout = 300 * time.Millisecond
	r := one(t.Context(), c)
	require.Equal(t, classTimeout, r.Class)
	require.GreaterOrEqual(t, r.Duration, c.Timeout)
	require.Less(t, r.Duration, 10*c.Timeout)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	c := clientFor(t, "http://"+silent.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Equal(t, Result{Outcome: Interrupted, CutOff: stepFirstByte}, summary(one(ctx, c)))
	require.Equal(t, Result{Outcome: Interrupted, CutOff: stepConnect}, summary(one(ctx, c)), "before it began")
}

// TestChoose checks that tenants are drawn uniformly, then secrets within the tenant, and the same
// again for the same seed.
func TestChoose(t *testing.T) {
	t.Parallel()
	digest := fixture.Digest{1}
	fx := &fixture.Fixture{Version: 1, Target: "http://127.0.0.1:1"}
	for i := range 4 {
		tenant := fixture.Tenant{Name: fmt.Sprint(i), SecretPath: "p", AuthPath: "a", Role: "r", JWT: "a.b.c"}
		for j := range i + 1 {
			tenant.Secrets = append(tenant.Secrets, fixture.Secret{Name: fmt.Sprint(j), SHA256: digest})
		}
		fx.Tenants = append(fx.Tenants, tenant)
	}
	plan, err := NewPlan(fx)
	require.NoError(t, err)
	require.Equal(t, 4, plan.Tenants())
	require.Equal(t, 10, plan.Secrets())

	const draws = 40_000
	rng, again := rand.New(rand.NewPCG(7, 3)), rand.New(rand.NewPCG(7, 3))
	tenants, choices := map[string]int{}, map[Choice]int{}
	for range draws {
		c := choose(plan, rng)
		require.Equal(t, c, choose(plan, again))
		tenants[plan.Name(c)]++
		choices[c]++
	}
	require.Len(t, choices, 10)
	for name, n := range tenants {
		// Five standard deviations of a binomial with p = 1/4: 5·√(40000·1/4·3/4) = 433.
		require.InDelta(t, draws/4, n, 433, "tenant %s", name)
	}
}
