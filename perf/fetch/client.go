package fetch

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"gitlab.com/steamer/steamer/perf/wire"
)

// DefaultTimeout is how long GitLab Runner's OpenBao client waits for one request (openbao api/v2, DefaultConfig).
const DefaultTimeout = 60 * time.Second

// DialFunc opens a TCP connection; net.Dialer.DialContext and k6's dialer have this form.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Client fetches secrets over one connection at a time, as one CI job does. It is not safe for concurrent use.
type Client struct {
	// Plan says what can be fetched.
	Plan *Plan
	// Dial opens connections.
	Dial DialFunc
	// TLS is cloned for https targets; nil means Go's defaults.
	TLS *tls.Config
	// Timeout bounds one fetch with everything in it; 0 means DefaultTimeout.
	Timeout time.Duration
	// Reuse keeps the connection open between fetches. Runner does not: it makes a client for each secret.
	Reuse bool

	conn    *wire.Conn
	open    bool
	request []byte
}

// errHandshake marks a failed TLS handshake.
var errHandshake = errors.New("TLS handshake")

// Fetch reads one secret and checks its value. It never returns an error: whatever goes wrong is the result.
func (c *Client) Fetch(ctx context.Context, choice Choice) Result {
	c.request = c.Plan.appendRequest(c.request[:0], choice)
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	res := Result{Start: time.Now()}
	resp, dialing, err := c.send(ctx, res.Start.Add(timeout))
	res.Duration = time.Since(res.Start)
	switch {
	case err != nil && ctx.Err() != nil:
		res.Outcome = Interrupted
	case err != nil:
		res.Outcome, res.Class = Failed, classify(err, dialing)
	default:
		res.Status = resp.Status
		res.Outcome, res.Class = c.judge(choice, resp)
	}
	if err != nil || resp.Close || !c.Reuse {
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

// send exchanges the prepared request for its answer. As in net/http, a kept connection that turns out to have been
// closed by the server is replaced once; fetches have no side effects, so that repeating one is safe.
func (c *Client) send(ctx context.Context, deadline time.Time) (resp wire.Response, dialing bool, err error) {
	for {
		if !c.open {
			if err = c.connect(ctx, deadline); err != nil {
				return resp, true, err
			}
		}
		kept := c.conn.Used()
		resp, err = c.conn.RoundTrip(ctx, c.request, deadline)
		if err == nil || !kept || !stale(err) || ctx.Err() != nil {
			return resp, false, err
		}
		c.Close()
	}
}

func (c *Client) connect(ctx context.Context, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	nc, err := c.Dial(ctx, "tcp", c.Plan.addr)
	if err != nil {
		return err
	}
	if c.Plan.serverName != "" {
		if nc, err = c.handshake(ctx, nc); err != nil {
			return err
		}
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
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		cfg = c.TLS.Clone()
	}
	cfg.ServerName = c.Plan.serverName
	cfg.NextProtos = []string{"http/1.1"}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	return tc, nil
}

// judge compares the answer with what the fixture expects. KV v2 puts the secret at data.data, and GitLab stores a
// secret's value in its field "value".
func (c *Client) judge(choice Choice, resp wire.Response) (Outcome, Class) {
	if resp.Status != http.StatusOK {
		return Failed, ClassStatus
	}
	value := gjson.GetBytes(resp.Body, "data.data.value")
	if value.Type != gjson.String {
		return Failed, ClassMalformed
	}
	if sha256.Sum256([]byte(value.Str)) != *c.Plan.digest(choice) {
		return Wrong, ClassValue
	}
	return OK, ""
}
