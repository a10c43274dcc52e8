package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"gitlab.com/steamer/steamer/perf/wire"
)

// DefaultTimeout is how long GitLab Runner's OpenBao client waits for one call (openbao api/v2,
// DefaultConfig).
const DefaultTimeout = 60 * time.Second

// DialFunc opens a TCP connection; net.Dialer.DialContext and k6's dialer have this form.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Client works over one connection at a time, as one CI job does. It is not safe for concurrent
// use.
type Client struct {
	// Plan says what can be fetched.
	Plan *Plan
	// Dial opens connections.
	Dial DialFunc
	// TLS is cloned for https targets; nil means Go's defaults.
	TLS *tls.Config
	// CA replaces the certificates that TLS and the plan trust; nil leaves them.
	CA *x509.CertPool
	// Timeout bounds one call with its repetitions; 0 means DefaultTimeout.
	Timeout time.Duration
	// Reuse keeps the connection open. Runner does not: it makes a client for each secret, whose
	// login and read share a connection. Rails makes one for each call.
	Reuse bool
	// Retry repeats failed calls of fetches as Runner's client does, see retry.go.
	Retry bool
	// Verify lets a job fetch what Rails has written, and checks that it is the new value.
	Verify bool
	// Rand draws tokens, values and back-offs.
	Rand *rand.Rand

	conn    *wire.Conn
	open    bool
	request []byte
	config  *tls.Config
}

// errHandshake marks a failed TLS handshake.
var errHandshake = errors.New("TLS handshake")

// Fetch reads one secret in the given mode (not Rails, not Mixed) and checks its value. It never
// returns an error: whatever goes wrong is the result.
func (c *Client) Fetch(ctx context.Context, mode Mode, choice Choice) Result {
	res := Result{Start: time.Now(), Kind: string(mode), Steps: make([]StepTime, 0, 4)}
	if mode == Inline {
		c.inline(ctx, choice, &res)
	} else {
		c.loginRead(ctx, choice, &res, mode == LoginReadRevoke)
	}
	res.Duration = time.Since(res.Start)
	if !c.Reuse {
		c.Close()
	}
	return res
}

// Close closes the connection, if one is open. The client may be used again.
func (c *Client) Close() {
	if c.open {
		c.open = false
		_ = c.conn.Close() // nothing is lost with it: the answer has been read, or the failure recorded
	}
}

// send exchanges the prepared request for its answer. As in net/http, a kept connection that turns
// out to have been closed by the server is replaced once, if the request may be repeated.
func (c *Client) send(ctx context.Context, res *Result, repeatable bool, deadline time.Time) (resp wire.Response,
	dialing bool, err error,
) {
	for {
		if !c.open {
			if err = c.connect(ctx, res, deadline); err != nil {
				return resp, true, err
			}
		}
		kept, sent := c.conn.Used(), time.Now()
		resp, err = c.conn.RoundTrip(ctx, c.request, deadline)
		if err == nil {
			res.step(StepFirstByte, resp.FirstByte.Sub(sent))
		}
		if err != nil || resp.Close {
			c.Close()
		}
		if err == nil || !kept || !repeatable || !stale(err) || ctx.Err() != nil {
			return resp, false, err
		}
	}
}

func (c *Client) connect(ctx context.Context, res *Result, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	start := time.Now()
	nc, err := c.Dial(ctx, "tcp", c.Plan.addr)
	if err != nil {
		return err
	}
	connected := time.Now()
	res.step(StepConnect, connected.Sub(start))
	if c.Plan.serverName != "" {
		if nc, err = c.handshake(ctx, nc); err != nil {
			return err
		}
		res.step(StepTLS, time.Since(connected))
	}
	if c.conn == nil {
		c.conn = wire.NewConn(nc)
	} else {
		c.conn.Reset(nc)
	}
	c.open = true
	return nil
}

func (c *Client) handshake(ctx context.Context, nc net.Conn) (net.Conn, error) {
	if c.config == nil {
		c.config = c.tlsConfig()
	}
	tc := tls.Client(nc, c.config)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	return tc, nil
}

func (c *Client) tlsConfig() *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		cfg = c.TLS.Clone()
	}
	cfg.ServerName = c.Plan.serverName
	cfg.NextProtos = []string{"http/1.1"}
	for _, pool := range []*x509.CertPool{c.Plan.ca, c.CA} {
		if pool != nil {
			cfg.RootCAs = pool
		}
	}
	return cfg
}
