package clients

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"github.com/valyala/fasthttp"

	"gitlab.com/steamer/steamer/perf/wire"
)

// target is where a client fetches, and how.
type target struct {
	address string
	roots   *x509.CertPool // nil: no TLS
	reuse   bool           // keep the connection
	h2      bool           // HTTP/2, else HTTP/1.1
}

// client fetches over one connection at a time, as a virtual user does. Every client takes the times
// that the extension reports and checks the value.
type client interface {
	fetch() error
	close()
}

type kind struct {
	name string
	h2   bool // can speak HTTP/2
	open func(target) client
}

var allKinds = []kind{
	{name: "wire", open: func(t target) client { return &wireClient{target: t, request: request(t)} }},
	{name: "readwrite", open: func(t target) client { return newReadWrite(t) }},
	{name: "readresponse", open: func(t target) client { return &readClient{target: t, request: request(t)} }},
	{name: "nethttp", h2: true, open: newStandard},
	{name: "fasthttp", open: newFast},
}

const (
	timeout = 60 * time.Second
	maxBody = 1 << 20
	path    = "/v1/org_1/group_5/project_7/secrets/kv/data/explicit/SECRET_1"
)

// header is Runner's: the job's token has some 1,400 characters.
func header() http.Header {
	return http.Header{
		"X-Vault-Request":                    {"true"},
		"X-Vault-Inline-Auth-Path":           {"org_1/group_5/project_7/auth/pipeline_jwt/cel/login"},
		"X-Vault-Inline-Auth-Parameter-Jwt":  {strings.Repeat("eyJhbGciOiJS", 120)},
		"X-Vault-Inline-Auth-Parameter-Role": {"eyJrZXkiOiJyb2xlIiwidmFsdWUiOiJhbGxfcGlwZWxpbmVzIn0"},
	}
}

// request is the request in HTTP/1.1.
func request(t target) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Go-http-client/1.1\r\n", path, t.address)
	_ = header().Write(&b)
	b.WriteString("Accept-Encoding: gzip\r\n\r\n")
	return b.Bytes()
}

var digest = sha256.Sum256([]byte(value))

func judge(status int, body []byte) error {
	got := gjson.GetBytes(body, "data.data.value")
	if status != http.StatusOK || got.Type != gjson.String || sha256.Sum256([]byte(got.Str)) != digest {
		return fmt.Errorf("status %d, body %s", status, body)
	}
	return nil
}

// connect opens a connection, with TLS where the target has it.
func (t target) connect(ctx context.Context, config **tls.Config) (net.Conn, error) {
	start := time.Now()
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.address)
	if err != nil || t.roots == nil {
		return nc, err
	}
	_ = time.Since(start)
	if *config == nil {
		*config = &tls.Config{
			RootCAs: t.roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12,
			NextProtos: []string{"http/1.1"},
		}
		if t.h2 {
			(*config).NextProtos = []string{"h2", "http/1.1"}
		}
	}
	tc := tls.Client(nc, *config)
	return tc, tc.HandshakeContext(ctx)
}

// wireClient is the extension's own client as package fetch uses it.
type wireClient struct {
	target
	request []byte
	buf     []byte
	config  *tls.Config
	conn    *wire.Conn
	open    bool
}

func (c *wireClient) fetch() error {
	deadline := time.Now().Add(timeout)
	ctx := context.Background()
	if !c.open {
		dialing, cancel := context.WithDeadline(ctx, deadline)
		nc, err := c.connect(dialing, &c.config)
		cancel()
		if err != nil {
			return err
		}
		if c.conn == nil {
			c.conn = wire.NewConn(nc)
		} else {
			c.conn.Reset(nc)
		}
		c.open = true
	}
	c.buf = append(c.buf[:0], c.request...)
	resp, err := c.conn.RoundTrip(ctx, c.buf, deadline)
	if err != nil {
		return err
	}
	if err := judge(resp.Status, resp.Body); err != nil {
		return err
	}
	if !c.reuse {
		c.close()
	}
	return nil
}

func (c *wireClient) close() {
	if c.open {
		c.open = false
		_ = c.conn.Close()
	}
}

// readClient reads answers with net/http's parser in its own goroutine, and writes requests with
// net/http's writer if write is set.
type readClient struct {
	write *http.Request
	bw    *bufio.Writer
	target
	request []byte
	buf     []byte
	config  *tls.Config
	nc      net.Conn
	br      *bufio.Reader
	body    bytes.Buffer
}

var get = &http.Request{Method: http.MethodGet}

func (c *readClient) fetch() (err error) {
	deadline := time.Now().Add(timeout)
	ctx := context.Background()
	if c.nc == nil {
		dialing, cancel := context.WithDeadline(ctx, deadline)
		c.nc, err = c.connect(dialing, &c.config)
		cancel()
		if err != nil {
			return err
		}
		if c.br == nil {
			c.br = bufio.NewReaderSize(c.nc, 8<<10)
		}
		c.br.Reset(c.nc)
	}
	if err := c.nc.SetDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.nc.SetDeadline(time.Unix(1, 0)) })
	if err := c.send(); err != nil {
		return err
	}
	if _, err := c.br.Peek(1); err != nil {
		return err
	}
	_ = time.Now()
	resp, err := http.ReadResponse(c.br, get)
	if err != nil {
		return err
	}
	c.body.Reset()
	if _, err := c.body.ReadFrom(io.LimitReader(resp.Body, maxBody+1)); err != nil {
		return err
	}
	if !stop() {
		return errors.New("interrupted")
	}
	if err := judge(resp.StatusCode, c.body.Bytes()); err != nil {
		return err
	}
	if !c.reuse {
		c.close()
	}
	return nil
}

func (c *readClient) send() error {
	if c.write == nil {
		c.buf = append(c.buf[:0], c.request...)
		_, err := c.nc.Write(c.buf)
		return err
	}
	if c.bw == nil {
		c.bw = bufio.NewWriter(c.nc)
	}
	c.bw.Reset(c.nc)
	r := *c.write // as for another secret
	r.URL = &url.URL{Scheme: "http", Host: c.address, Opaque: path}
	if err := r.Write(c.bw); err != nil {
		return err
	}
	return c.bw.Flush()
}

func newReadWrite(t target) client {
	r, err := http.NewRequest(http.MethodGet, "http://"+t.address+path, http.NoBody)
	if err != nil {
		panic(err)
	}
	r.Header = header()
	r.Header.Set("Accept-Encoding", "gzip")
	return &readClient{target: t, write: r}
}

func (c *readClient) close() {
	if c.nc != nil {
		_ = c.nc.Close()
		c.nc = nil
	}
}

// standardClient is net/http's client side, one connection at a time.
type standardClient struct {
	target
	transport *http.Transport
	header    http.Header
	config    *tls.Config
	conn      *http.ClientConn
	body      bytes.Buffer
	first     time.Time
	trace     *httptrace.ClientTrace
}

func newStandard(t target) client {
	c := &standardClient{target: t, header: header()}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return t.connect(ctx, &c.config) }
	c.transport = &http.Transport{DialContext: dial, DialTLSContext: dial, ForceAttemptHTTP2: t.h2}
	c.trace = &httptrace.ClientTrace{GotFirstResponseByte: func() { c.first = time.Now() }}
	return c
}

func (c *standardClient) fetch() error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	scheme := "http"
	if c.roots != nil {
		scheme = "https"
	}
	if c.conn == nil {
		conn, err := c.transport.NewClientConn(ctx, scheme, c.address)
		if err != nil {
			return err
		}
		c.conn = conn
	}
	req := (&http.Request{
		Method: http.MethodGet, Host: c.address, Header: c.header,
		URL:   &url.URL{Scheme: scheme, Host: c.address, Path: path},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(httptrace.WithClientTrace(ctx, c.trace))
	resp, err := c.conn.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	c.body.Reset()
	if _, err := c.body.ReadFrom(io.LimitReader(resp.Body, maxBody+1)); err != nil {
		return err
	}
	if c.h2 != (resp.ProtoMajor == 2) {
		return fmt.Errorf("protocol %s", resp.Proto)
	}
	if err := judge(resp.StatusCode, c.body.Bytes()); err != nil {
		return err
	}
	if !c.reuse {
		c.close()
	}
	return nil
}

func (c *standardClient) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// fastClient is valyala/fasthttp, the usual choice for cheap requests; it has no HTTP/2.
type fastClient struct {
	target
	host   *fasthttp.HostClient
	config *tls.Config
	req    *fasthttp.Request
	resp   *fasthttp.Response
}

func newFast(t target) client {
	c := &fastClient{target: t, req: fasthttp.AcquireRequest(), resp: fasthttp.AcquireResponse()}
	c.host = &fasthttp.HostClient{
		Addr: t.address, MaxConns: 1, MaxResponseBodySize: maxBody, DisablePathNormalizing: true,
		Dial: func(string) (net.Conn, error) { return t.connect(context.Background(), &c.config) },
	}
	c.req.SetRequestURI("http://" + t.address + path) // the connection has its TLS from Dial
	for name, values := range header() {
		c.req.Header.Set(name, values[0])
	}
	c.req.Header.SetUserAgent("Go-http-client/1.1")
	c.req.Header.Set("Accept-Encoding", "gzip")
	return c
}

func (c *fastClient) fetch() error {
	if err := c.host.DoDeadline(c.req, c.resp, time.Now().Add(timeout)); err != nil {
		return err
	}
	if err := judge(c.resp.StatusCode(), c.resp.Body()); err != nil {
		return err
	}
	if !c.reuse {
		c.close()
	}
	return nil
}

func (c *fastClient) close() { c.host.CloseIdleConnections() }
