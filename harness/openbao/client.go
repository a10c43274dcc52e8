// Package openbao speaks the HTTP API of OpenBao and Vault the way GitLab does: single requests
// that carry their own authentication (inline auth), no retries, no hidden redirects. For Vault,
// which has no inline auth, it logs in first.
// What the server said is returned as it is, so that checks can judge it.
package openbao

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxBody is the largest response body that is read, in bytes. A secret is at
// most 10,000 bytes and a request at most 768 KiB; anything larger is a defect.
const maxBody = 4 << 20

// defaultTimeout bounds one request, connection set-up included. It is GitLab
// Runner's client timeout.
const defaultTimeout = 60 * time.Second

// Client sends requests to one OpenBao address. It is safe for concurrent use.
type Client struct {
	address string
	http    *http.Client
	login   bool // see Kind.Client
}

// New returns a client for address, for instance "http://127.0.0.1:8200". A nil
// httpClient asks for Trusting(true, nil).
func New(address string, httpClient *http.Client) *Client {
	if httpClient == nil {
		httpClient = Trusting(true, nil)
	}
	return &Client{address: strings.TrimRight(address, "/"), http: httpClient}
}

// Trusting returns a client with defaultTimeout, no proxy and no redirects: a standby's redirect
// names an address that only the cluster can reach. It trusts the certificate authorities in the
// PEM ca and no others; with an empty ca those of the system. Without keepAlive every request has
// its own connection, as in GitLab Runner. Over TLS it speaks HTTP/2 where the server does.
func Trusting(keepAlive bool, ca []byte) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = 64
	transport.DisableKeepAlives = !keepAlive
	if len(ca) > 0 {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       defaultTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Address returns the base URL requests are sent to.
func (c *Client) Address() string { return c.address }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Request is one call. Path is relative to /v1/ and holds the namespace.
type Request struct {
	Method string
	Path   string
	Body   any         // encoded as JSON; nil sends no body
	Auth   *InlineAuth // nil sends no inline authentication
	Header http.Header // added last; abuse checks use it to send what no client would
}

// Response is what the server answered, error or not.
type Response struct {
	Status           int
	InlineAuthFailed bool            // X-Vault-Inline-Auth-Failed: the login step refused, not the request itself
	Data             json.RawMessage // .data of the answer; may hold secrets
	Auth             json.RawMessage // .auth of the answer to a login; holds a token
	Errors           []string        // .errors and .warnings of the answer
	RequestID        string          // .request_id of the answer, by which audit records name it
	Foreign          bool            // the body is no JSON document of OpenBao: a proxy's, or cut off
	Latency          time.Duration   // from sending the request to the last byte of the body
}

// OK reports a 2xx status.
func (r *Response) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Message joins the error texts of the answer.
func (r *Response) Message() string { return strings.TrimSpace(strings.Join(r.Errors, "; ")) }

// Do sends one request and returns the answer whatever its status is. It fails
// only when there is no answer: connection errors, time-outs, a cancelled context
// or a body that is no JSON. Errors never hold headers or bodies.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	if c.login && r.Auth != nil {
		return c.throughLogin(ctx, r)
	}
	return c.send(ctx, r)
}

func (c *Client) send(ctx context.Context, r Request) (*Response, error) {
	out, _, err := c.exchange(ctx, r)
	return out, err
}

// exchange returns the answer, and its body as it came.
func (c *Client) exchange(ctx context.Context, r Request) (*Response, []byte, error) {
	req, err := c.build(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	start := time.Now()
	res, err := c.http.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: reading the answer: %w", r.Method, r.Path, err)
	}
	if len(raw) > maxBody {
		return nil, nil, fmt.Errorf("%s %s: answer exceeds %d bytes", r.Method, r.Path, maxBody)
	}
	out := &Response{
		Status:           res.StatusCode,
		InlineAuthFailed: res.Header.Get(headerInlineAuthFailed) == "true",
		Latency:          time.Since(start),
	}
	err = out.decode(raw)
	out.Foreign = err != nil
	if err != nil && out.OK() {
		return nil, nil, fmt.Errorf("%s %s: status %d: %w", r.Method, r.Path, res.StatusCode, err)
	}
	return out, raw, nil
}

func (c *Client) build(ctx context.Context, r Request) (*http.Request, error) {
	var body io.Reader
	if r.Body != nil {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: encoding the body: %w", r.Method, r.Path, err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, c.address+"/v1/"+strings.TrimLeft(r.Path, "/"), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
	}
	req.Header.Set("X-Vault-Request", "true")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Auth != nil {
		r.Auth.set(req.Header)
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	return req, nil
}

// decode reads OpenBao's answer envelope. Proxies answer with other bodies, so a
// failure is reported only for successful answers.
func (r *Response) decode(raw []byte) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	var envelope struct {
		Data     json.RawMessage `json:"data"`
		Auth     json.RawMessage `json:"auth"`
		Errors   []string        `json:"errors"`
		Warnings []string        `json:"warnings"`
		Request  string          `json:"request_id"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return errors.New("the answer is not a JSON document of OpenBao")
	}
	r.Data, r.Auth, r.Errors = envelope.Data, envelope.Auth, append(envelope.Errors, envelope.Warnings...)
	r.RequestID = envelope.Request
	return nil
}
