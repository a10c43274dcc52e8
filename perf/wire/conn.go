package wire

import (
	"bufio"
	"context"
	"net"
	"time"
)

// bufferBytes holds any header line OpenBao sends and most whole responses; longer lines are
// refused.
const bufferBytes = 8 << 10

// Conn is one client connection. It is not safe for concurrent use.
type Conn struct {
	nc   net.Conn
	br   *bufio.Reader
	body []byte
	used bool
}

// NewConn wraps an open connection.
func NewConn(nc net.Conn) *Conn {
	return &Conn{nc: nc, br: bufio.NewReaderSize(nc, bufferBytes)}
}

// Reset puts another open connection in place of the old one, which must be closed, and keeps the
// buffers.
func (c *Conn) Reset(nc net.Conn) {
	c.nc, c.used = nc, false
	c.br.Reset(nc)
}

// Used reports whether a request was answered on this connection, so that it may have been closed
// by the server while it lay idle.
func (c *Conn) Used() bool { return c.used }

// RoundTrip writes one complete request and reads its answer. It gives up at the deadline or when
// ctx ends, whichever is first; the error is then the connection's timeout error, and ctx.Err tells
// which it was. After an error, or a Response with Close, the connection must be closed. The body
// is valid until the next call.
func (c *Conn) RoundTrip(ctx context.Context, request []byte, deadline time.Time) (Response, error) {
	if err := c.nc.SetDeadline(deadline); err != nil {
		return Response{}, err
	}
	stop := context.AfterFunc(ctx, func() {
		// A time long past makes pending and later calls on the connection fail at once.
		_ = c.nc.SetDeadline(time.Unix(1, 0))
	})
	resp, err := c.exchange(request)
	if !stop() && err == nil {
		// The answer won the race against the cancellation, but the deadline may be spoilt.
		resp.Close = true
	}
	return resp, err
}

func (c *Conn) exchange(request []byte) (Response, error) {
	if _, err := c.nc.Write(request); err != nil {
		return Response{}, err
	}
	if _, err := c.br.Peek(1); err != nil {
		return Response{}, err
	}
	first := time.Now()
	resp, err := ReadResponse(c.br, c.body)
	if err != nil {
		return resp, err
	}
	resp.FirstByte = first
	c.body, c.used = resp.Body, true
	if c.br.Buffered() > 0 {
		// Bytes nobody asked for: the next answer could not be told from them.
		resp.Close = true
	}
	return resp, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.nc.Close() }
