package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tlsServer answers any request, over HTTP/2 too if it is to offer it.
func tlsServer(t *testing.T, http2 bool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(goodAnswer))
	}))
	server.EnableHTTP2 = http2
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of refused handshakes
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// TestHTTP2 checks that jobs speak HTTP/2 where the server offers it, and that Rails never does.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	for _, offered := range []bool{true, false} {
		for _, reuse := range []bool{true, false} {
			t.Run(fmt.Sprintf("offered=%v,reuse=%v", offered, reuse), func(t *testing.T) {
				t.Parallel()
				server := tlsServer(t, offered)
				c := clientFor(t, server.URL)
				c.Reuse, c.CA = reuse, x509.NewCertPool()
				c.CA.AddCert(server.Certificate())
				for i := range 3 {
					r := one(t.Context(), c)
					require.Equal(t, Result{Status: 200}, summary(r))
					require.Equal(t, offered, r.HTTP2 == 1)
					require.Equal(t, !reuse || i == 0, r.Steps[0].Step == stepConnect)
				}
				if reuse {
					server.CloseClientConnections()
					require.Equal(t, Result{Status: 200}, summary(one(t.Context(), c)), "a closed connection is replaced")
				}
				res := Result{}
				_, ok := c.call(t.Context(), &res, "", &request{
					method: http.MethodGet, path: "/", header: runner, rails: true,
				}, false, 200)
				require.True(t, ok)
				require.Zero(t, res.HTTP2)
			})
		}
	}
}

// TestHTTP2GivesUp checks that a fetch without an answer over HTTP/2 ends at its timeout, and at
// the end of the run.
func TestHTTP2GivesUp(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for _, interrupt := range []bool{true, false} {
		c := clientFor(t, server.URL)
		c.Reuse, c.CA = true, x509.NewCertPool()
		c.CA.AddCert(server.Certificate())
		ctx, cancel := context.WithCancel(t.Context())
		want := Result{Outcome: Interrupted, CutOff: stepFirstByte}
		if interrupt {
			time.AfterFunc(100*time.Millisecond, cancel)
		} else {
			want = Result{Outcome: Failed, Class: classTimeout}
			c.Timeout = 100 * time.Millisecond
		}
		require.Equal(t, want, summary(one(ctx, c)))
		cancel()
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := tlsServer(t, true)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	good, bad := Result{Status: 200}, Result{Outcome: Failed, Class: classTLS}
	inline := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, tc := range map[string]struct {
		client Client
		ca     string
		want   Result
	}{
		"unknown CA": {want: bad},
		"k6's configuration": {
			client: Client{TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
			want:   good,
		},
		"CA of the fixture": {ca: string(inline), want: good},
		"CA of the client":  {client: Client{CA: pool}, want: good},
		"another CA":        {client: Client{CA: x509.NewCertPool()}, ca: string(inline), want: bad},
	} {
		t.Run(name, func(t *testing.T) {
			c := tc.client
			fx := fixtureFor(server.URL)
			fx.CA = tc.ca
			var err error
			c.Plan, err = NewPlan(fx)
			require.NoError(t, err)
			c.Dial, c.Retry, c.Rand = (&net.Dialer{}).DialContext, true, rand.New(rand.NewPCG(1, 1))
			r := one(t.Context(), &c)
			require.Zero(t, r.Retries, "a certificate that is not trusted will not be in a second")
			require.Equal(t, tc.want, summary(r))
			if tc.want.Outcome == OK {
				require.Equal(t, []Step{stepConnect, stepTLS, stepFirstByte},
					[]Step{r.Steps[0].Step, r.Steps[1].Step, r.Steps[2].Step})
			}
		})
	}
}
