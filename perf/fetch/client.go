package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"math/rand/v2"
	"net"
	"time"
)

// defaultTimeout is how long GitLab Runner's OpenBao client waits for one call (openbao api/v2,
// DefaultConfig).
const defaultTimeout = 60 * time.Second

// Client works over one connection at a time, as one CI job does. It is not safe for concurrent
// use.
type Client struct {
	// Plan says what can be fetched.
	Plan *Plan
	// Dial opens TCP connections, as net.Dialer.DialContext does.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is cloned for https targets; nil means Go's defaults.
	TLS *tls.Config
	// CA replaces the certificates that TLS and the plan trust; nil leaves them.
	CA *x509.CertPool
	// Timeout bounds one call with its repetitions; 0 means 60 s.
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

	jobs, rails *connection  // nil: none was needed yet
	body        bytes.Buffer // of the last answer
}

// Fetch reads one secret in the given mode (neither Rails nor Mixed) and checks its value. It
// never returns an error: whatever goes wrong is the result.
func (c *Client) Fetch(ctx context.Context, mode Mode, choice Choice) Result {
	res := Result{Start: time.Now(), Kind: string(mode), Steps: make([]StepTime, 0, 4)}
	if mode == Inline {
		c.inline(ctx, choice, &res)
	} else {
		c.loginRead(ctx, choice, &res, mode == loginReadRevoke)
	}
	res.Duration = time.Since(res.Start)
	if !c.Reuse {
		c.Close()
	}
	return res
}

// Close closes the connections that are open. The client may be used again.
func (c *Client) Close() {
	for _, n := range []*connection{c.jobs, c.rails} {
		if n != nil {
			n.close()
		}
	}
}

// send exchanges the request for its answer. As in net/http, a kept connection that turns out to
// have been closed by the server is replaced once, if the request may be repeated.
func (c *Client) send(ctx context.Context, q *request, res *Result, deadline time.Time) (a answer, class Class,
	err error,
) {
	n, err := c.connection(q.rails)
	if err != nil {
		return a, classProtocol, err
	}
	for {
		if !n.usable() {
			n.close()
			if err := n.open(ctx, res, deadline); err != nil {
				n.close()
				return a, classify(err, true, false), err
			}
		}
		kept := n.used
		a, err = n.exchange(ctx, q, &c.body, res, deadline)
		ended := err != nil && n.ended(err)
		if err != nil || a.close {
			n.close()
		}
		if err == nil || !kept || !q.repeatable || !ended || ctx.Err() != nil {
			return a, classify(err, false, ended), err
		}
	}
}

// connection returns the connection of jobs or of Rails, which are different programs.
func (c *Client) connection(rails bool) (n *connection, err error) {
	of := &c.jobs
	if rails {
		of = &c.rails
	}
	if *of == nil {
		*of, err = c.newConnection(rails)
	}
	return *of, err
}
