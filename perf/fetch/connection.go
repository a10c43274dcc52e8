package fetch

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// maxBody is the longest body accepted, in bytes. GitLab limits a secret's value to 10,000
	// bytes; GitLab's chart limits a request to OpenBao to 768 KiB.
	maxBody = 1 << 20
	// maxHeader is the longest header accepted, in bytes.
	maxHeader = 64 << 10
	// bufferBytes holds any request and most answers.
	bufferBytes = 8 << 10
)

var (
	errHandshake = errors.New("TLS handshake")
	errTooLong   = errors.New("the answer is too long")
)

// request is one call, which may be sent more than once.
type request struct {
	method string
	path   string      // with its query; it consists of characters that need no escaping
	header http.Header // shared, never changed
	body   string
	// repeatable: a kept connection that turns out to be closed is replaced once and the request
	// sent again, as net/http does.
	repeatable bool
	rails      bool // sent by Rails, not by a job
}

// answer is what the server says to a request.
type answer struct {
	status     int
	body       []byte        // valid until the client's next call
	retryAfter time.Duration // how long the server asks to wait; 0: it does not
	http2      bool
	close      bool // the connection must not be used again
}

// connection is the connection of one program to the target, made again after it was closed. Over
// HTTP/1.1 it uses net/http's reading and writing of messages in the calling goroutine, because
// net/http's client costs two goroutines for each connection (docs/adr/0011).
type connection struct {
	target  *url.URL
	addr    string // host:port
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	config  *tls.Config
	message *http.Request // what all requests have in common

	nc   net.Conn // nil: closed
	h2   *http.ClientConn
	from source // of in
	in   *bufio.Reader
	out  *bufio.Writer
	used bool // a request was answered, so that the server may have closed it while idle
}

// source reads answers over HTTP/1.1.
type source struct {
	io.Reader
	left  int  // bytes that the answer may still have
	ended bool // the other side closed or reset the connection
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errTooLong
	}
	n, err := s.Reader.Read(p)
	s.left -= n
	s.ended = s.ended || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	return n, err
}

// HTTP versions as TLS negotiates them.
const (
	http1 = "http/1.1"
	http2 = "h2"
)

// newConnection prepares a connection. As k6 has it, the client's TLS configuration decides about
// HTTP/2; Rails has none.
func (c *Client) newConnection(rails bool) (*connection, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{http2, http1}}
	if c.TLS != nil {
		config = c.TLS.Clone()
	}
	if rails || !slices.Contains(config.NextProtos, http2) {
		config.NextProtos = []string{http1}
	}
	config.ServerName = c.Plan.target.Hostname()
	for _, pool := range []*x509.CertPool{c.Plan.ca, c.CA} {
		if pool != nil {
			config.RootCAs = pool
		}
	}
	message, err := http.NewRequest(http.MethodGet, c.Plan.target.String(), http.NoBody)
	n := &connection{
		target: c.Plan.target, addr: c.Plan.addr, dial: c.Dial, config: config, message: message,
		out: bufio.NewWriterSize(nil, bufferBytes),
	}
	n.in = bufio.NewReaderSize(&n.from, bufferBytes)
	return n, err
}

// open connects.
func (n *connection) open(ctx context.Context, res *Result, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	res.at = stepConnect
	start := time.Now()
	nc, err := n.dial(ctx, "tcp", n.addr)
	if err != nil {
		return err
	}
	connected := time.Now()
	res.step(stepConnect, connected.Sub(start))
	n.nc, n.used = nc, false
	if n.target.Scheme == "https" {
		res.at = stepTLS
		secure := tls.Client(nc, n.config)
		if err = secure.HandshakeContext(ctx); err == nil && secure.ConnectionState().NegotiatedProtocol == http2 {
			n.h2, err = overHTTP2(ctx, secure, n.addr)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errHandshake, err)
		}
		n.nc = secure
		res.step(stepTLS, time.Since(connected))
	}
	n.from = source{Reader: n.nc}
	n.in.Reset(&n.from)
	n.out.Reset(n.nc)
	return nil
}

// overHTTP2 hands a connection over to net/http.
func overHTTP2(ctx context.Context, nc net.Conn, addr string) (*http.ClientConn, error) {
	transport := &http.Transport{
		Protocols: &http.Protocols{}, MaxResponseHeaderBytes: maxHeader,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return nc, nil },
	}
	transport.Protocols.SetHTTP2(true)
	return transport.NewClientConn(ctx, "https", addr)
}

// close closes the connection, if it is open. Nothing is lost with it: the answer was read, or the
// failure recorded.
func (n *connection) close() {
	if n.h2 != nil {
		_ = n.h2.Close()
	}
	if n.nc != nil {
		_ = n.nc.Close()
	}
	n.h2, n.nc = nil, nil
}

// ended reports whether the other side closed or reset the connection. net/http's errors do not
// always say so.
func (n *connection) ended(err error) bool {
	if n.h2 != nil {
		return n.h2.Err() != nil
	}
	return n.from.ended || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// usable reports whether a request can be sent on the connection as it is.
func (n *connection) usable() bool { return n.nc != nil && (n.h2 == nil || n.h2.Available() > 0) }

// exchange sends the request and reads the whole answer into body. It gives up at the deadline,
// and when ctx ends.
func (n *connection) exchange(ctx context.Context, q *request, body *bytes.Buffer, res *Result, deadline time.Time,
) (answer, error) {
	res.at = stepFirstByte
	if err := n.nc.SetDeadline(deadline); err != nil {
		return answer{}, err
	}
	nc := n.nc // which is nil once the connection is closed
	stop := context.AfterFunc(ctx, func() {
		// A time long past makes pending and later calls on the connection fail at once.
		_ = nc.SetDeadline(time.Unix(1, 0))
	})
	sent := time.Now()
	resp, err := n.roundTrip(ctx, q)
	if err == nil {
		res.step(stepFirstByte, time.Since(sent))
		res.at = stepBody
		err = readBody(resp, body)
	}
	inTime := stop()
	if err != nil {
		return answer{}, err
	}
	if n.h2 != nil && inTime { // net/http reads also while the connection is idle
		_ = nc.SetDeadline(time.Time{}) // an error means that it is closed, which usable notices
	}
	n.used = true
	// After bytes that belong to no request, the next answer would not be that of the next
	// request.
	a := answer{
		status: resp.StatusCode, body: body.Bytes(), http2: resp.ProtoMajor == 2,
		close: resp.Close || !inTime || n.in.Buffered() > 0,
	}
	// OpenBao sends whole seconds, never the other form, a date.
	if s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 32); err == nil && s <= 86400 {
		a.retryAfter = time.Duration(s) * time.Second
	}
	return a, nil
}

// roundTrip sends the request and reads the answer's header.
func (n *connection) roundTrip(ctx context.Context, q *request) (*http.Response, error) {
	r := n.message
	if n.h2 != nil { // which may still use the last one
		r = n.message.Clone(ctx)
	}
	r.Method, r.Header, r.URL.Opaque, r.Body, r.ContentLength = q.method, q.header, q.path, http.NoBody, 0
	if q.body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(q.body)), int64(len(q.body))
	}
	if n.h2 != nil {
		return n.h2.RoundTrip(r)
	}
	n.from.left = maxHeader + maxBody
	if err := r.Write(n.out); err != nil {
		return nil, err
	}
	if err := n.out.Flush(); err != nil {
		return nil, err
	}
	for {
		resp, err := http.ReadResponse(n.in, r)
		if err != nil || resp.StatusCode >= 200 {
			return resp, err
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, errors.New("unexpected protocol switch")
		}
	}
}

// readBody reads an answer's body to its end.
func readBody(resp *http.Response, body *bytes.Buffer) error {
	body.Reset()
	var from io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(resp.Body)
		if err != nil {
			return err
		}
		from = unzipped
	}
	size, err := body.ReadFrom(io.LimitReader(from, maxBody+1))
	if err == nil && size > maxBody {
		return errTooLong
	}
	return err
}
