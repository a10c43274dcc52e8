package fetch_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/perf/fetch"
	"gitlab.com/steamer/steamer/perf/fixture"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// These servers misbehave in ways that a real OpenBao cannot be made to; integration_test.go has
// the real one.

const answer = `{"request_id":"1","lease_id":"","data":{"data":{"value":"s\u00fc\"\/ß"},"metadata":{"version":1}}}`

func planFor(t *testing.T, target string) *fetch.Plan {
	t.Helper()
	plan, err := fetch.NewPlan(fixtureFor(target))
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

func clientFor(t *testing.T, target string) *fetch.Client {
	t.Helper()
	c := &fetch.Client{
		Plan: planFor(t, target), Dial: (&net.Dialer{}).DialContext, Timeout: 10 * time.Second,
		Rand: rand.New(rand.NewPCG(1, 2)),
	}
	t.Cleanup(c.Close)
	return c
}

func one(ctx context.Context, c *fetch.Client) fetch.Result {
	return c.Fetch(ctx, fetch.Inline, c.Plan.Choose(rand.New(rand.NewPCG(1, 1))))
}

// TestRequest checks the request against what GitLab Runner sends.
func TestRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	require.Equal(t, fetch.Result{Status: 200}, summary(one(t.Context(), clientFor(t, server.URL))))

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
		want   fetch.Result
	}{
		"right": {200, answer, fetch.Result{Status: 200}},
		"wrong": {200, `{"data":{"data":{"value":"other"}}}`, fetch.Result{
			Status: 200, Outcome: fetch.Wrong,
			Class: fetch.ClassValue,
		}},
		"empty": {200, `{"data":{"data":{"value":""}}}`, fetch.Result{
			Status: 200, Outcome: fetch.Wrong,
			Class: fetch.ClassValue,
		}},
		"no value": {200, `{"data":{"data":{}}}`, fetch.Result{
			Status: 200, Outcome: fetch.Failed,
			Class: fetch.ClassMalformed,
		}},
		"not a string": {200, `{"data":{"data":{"value":7}}}`, fetch.Result{
			Status: 200, Outcome: fetch.Failed,
			Class: fetch.ClassMalformed,
		}},
		"not JSON": {200, `sign in`, fetch.Result{Status: 200, Outcome: fetch.Failed, Class: fetch.ClassMalformed}},
		"denied": {403, `{"errors":["permission denied"]}`, fetch.Result{
			Status: 403, Outcome: fetch.Failed,
			Class: fetch.ClassStatus,
		}},
		"right, but 500": {500, answer, fetch.Result{Status: 500, Outcome: fetch.Failed, Class: fetch.ClassStatus}},
		"redirect":       {307, answer, fetch.Result{Status: 307, Outcome: fetch.Failed, Class: fetch.ClassStatus}},
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
				_, _ = w.Write([]byte(answer))
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
				require.Equal(t, fetch.OK, one(t.Context(), c).Outcome)
			}
			require.Equal(t, want, conns.Load())

			if reuse {
				// A server that closes idle connections, as proxies do, is no failure.
				server.CloseClientConnections()
				require.Equal(t, fetch.OK, one(t.Context(), c).Outcome)
				require.Equal(t, want+1, conns.Load())
			}
		})
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		}
		_, _ = w.Write([]byte(answer))
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of refused handshakes
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	good, bad := fetch.Result{Status: 200}, fetch.Result{Outcome: fetch.Failed, Class: fetch.ClassTLS}
	inline := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, tc := range map[string]struct {
		client fetch.Client
		ca     string
		want   fetch.Result
	}{
		"unknown CA": {want: bad},
		"k6's configuration": {
			client: fetch.Client{TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
			want:   good,
		},
		"CA of the fixture": {ca: string(inline), want: good},
		"CA of the client":  {client: fetch.Client{CA: pool}, want: good},
		"another CA":        {client: fetch.Client{CA: x509.NewCertPool()}, ca: string(inline), want: bad},
	} {
		t.Run(name, func(t *testing.T) {
			c := tc.client
			fx := fixtureFor(server.URL)
			fx.CA = tc.ca
			var err error
			c.Plan, err = fetch.NewPlan(fx)
			require.NoError(t, err)
			c.Dial, c.Retry, c.Rand = (&net.Dialer{}).DialContext, true, rand.New(rand.NewPCG(1, 1))
			r := one(t.Context(), &c)
			require.Zero(t, r.Retries, "a certificate that is not trusted will not be in a second")
			require.Equal(t, tc.want, summary(r))
			if tc.want.Outcome == fetch.OK {
				require.Equal(t, []fetch.Step{fetch.StepConnect, fetch.StepTLS, fetch.StepFirstByte},
					[]fetch.Step{r.Steps[0].Step, r.Steps[1].Step, r.Steps[2].Step})
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
		want    fetch.Class
	}{
		"nobody listens": {target: "http://" + closed.Addr().String(), want: fetch.ClassRefused},
		"no answer": {
			target: "http://" + silent.Addr().String(), timeout: 50 * time.Millisecond,
			want: fetch.ClassTimeout,
		},
		"closed at once": {target: scripted(t, func(net.Conn) {}), want: fetch.ClassReset},
		"half an answer": {
			target: scripted(t, func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")) }),
			want:   fetch.ClassReset,
		},
		"reset": {target: scripted(t, func(c net.Conn) {
			if tc, ok := c.(*net.TCPConn); ok {
				_ = tc.SetLinger(0)
			}
		}), want: fetch.ClassReset},
		"not HTTP": {
			target: scripted(t, func(c net.Conn) { _, _ = c.Write([]byte("220 mail ESMTP\r\n")) }),
			want:   fetch.ClassProtocol,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clientFor(t, tc.target)
			c.Reuse = true
			if tc.timeout > 0 {
				c.Timeout = tc.timeout
			}
			require.Equal(t, fetch.Result{Outcome: fetch.Failed, Class: tc.want}, summary(one(t.Context(), c)))
			// The broken connection is not used again.
			require.Equal(t, fetch.Result{Outcome: fetch.Failed, Class: tc.want}, summary(one(t.Context(), c)))
		})
	}
	t.Run("no connection", func(t *testing.T) {
		t.Parallel()
		c := clientFor(t, "http://127.0.0.1:1")
		c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("blocked host") }
		require.Equal(t, fetch.ClassDial, one(t.Context(), c).Class)
	})
}

// TestTimeoutIsKept checks that the timeout bounds the whole fetch and is what the result shows.
func TestTimeoutIsKept(t *testing.T) {
	t.Parallel()
	c := clientFor(t, scripted(t, func(nc net.Conn) {
		// A drop now and then keeps a per-read timeout from ever ending.
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
	require.Equal(t, fetch.ClassTimeout, r.Class)
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
	require.Equal(t, fetch.Result{Outcome: fetch.Interrupted}, summary(one(ctx, c)))
	require.Equal(t, fetch.Result{Outcome: fetch.Interrupted}, summary(one(ctx, c)), "before it began")
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
	plan, err := fetch.NewPlan(fx)
	require.NoError(t, err)
	require.Equal(t, 4, plan.Tenants())
	require.Equal(t, 10, plan.Secrets())

	const draws = 40_000
	rng, again := rand.New(rand.NewPCG(7, 3)), rand.New(rand.NewPCG(7, 3))
	tenants, choices := map[string]int{}, map[fetch.Choice]int{}
	for range draws {
		c := plan.Choose(rng)
		require.Equal(t, c, plan.Choose(again))
		tenants[plan.Name(c)]++
		choices[c]++
	}
	require.Len(t, choices, 10)
	for name, n := range tenants {
		// Five standard deviations of a binomial with p = 1/4: 5·√(40000·1/4·3/4) = 433.
		require.InDelta(t, draws/4, n, 433, "tenant %s", name)
	}
}
