// Package wire is a small HTTP/1.1 client side for load generation: one connection, one request at
// a time, in the calling goroutine, without the header maps and the two goroutines per connection
// that net/http spends.
//
// It reads what OpenBao (Go's net/http server) and the proxies before it send, and refuses
// everything it is not sure about. It follows no redirect, keeps no cookie and decompresses
// nothing.
package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
	"time"
)

// ErrProtocol is wrapped by every error about an answer that is not well-formed HTTP/1.1.
var ErrProtocol = errors.New("malformed HTTP response")

const (
	maxHeaderBytes = 64 << 10
	// MaxBody is the longest body accepted, in bytes. GitLab limits a secret's value to 10,000
	// bytes; an OpenBao request is limited to 768 KiB in GitLab's chart.
	MaxBody = 1 << 20
)

// Response is one answer.
type Response struct {
	// Status is the status code, 200–999.
	Status int
	// Body aliases the buffer passed to ReadResponse and is valid until that buffer is used again.
	Body []byte
	// Close says that the connection must not be used for another request.
	Close bool
	// RetryAfter is how long the server asks to wait (Retry-After in seconds, RFC 9110 §10.2.3), 0
	// if it does not.
	RetryAfter time.Duration
	// FirstByte is when the answer's first byte was there; set by RoundTrip.
	FirstByte time.Time
}

// ReadResponse reads one response to any method but HEAD and CONNECT from br, appending the body to
// buf[:0]. It returns io.EOF alone when the connection ended before the first byte, an error
// wrapping ErrProtocol when the answer is malformed, and the reader's error otherwise.
func ReadResponse(br *bufio.Reader, buf []byte) (Response, error) {
	for {
		head, err := readHead(br)
		if err != nil {
			return Response{}, err
		}
		if head.status >= 200 {
			return readBody(br, head, buf)
		}
		if head.status == 101 {
			return Response{}, fmt.Errorf("%w: unasked protocol switch", ErrProtocol)
		}
	}
}

type head struct {
	status  int
	length  int64 // -1: not given
	chunked bool
	close   bool
	http10  bool
	retry   time.Duration
}

func readHead(br *bufio.Reader) (head, error) {
	h := head{length: -1}
	line, err := readLine(br)
	if err != nil {
		return h, err
	}
	if err := h.parseStatus(line); err != nil {
		return h, err
	}
	for total := 0; ; {
		line, err := readLine(br)
		if err != nil {
			return h, noEOF(err)
		}
		if len(line) == 0 {
			return h, nil
		}
		if total += len(line); total > maxHeaderBytes {
			return h, fmt.Errorf("%w: header longer than %d bytes", ErrProtocol, maxHeaderBytes)
		}
		if err := h.parseField(line); err != nil {
			return h, err
		}
	}
}

// parseStatus reads "HTTP/1.x NNN reason" (RFC 9112 §4). HTTP/1.0 closes unless told otherwise.
func (h *head) parseStatus(line []byte) error {
	const prefix = "HTTP/1."
	ok := len(line) >= 12 && string(line[:7]) == prefix && (line[7] == '0' || line[7] == '1') && line[8] == ' ' &&
		(len(line) == 12 || line[12] == ' ')
	if !ok {
		return fmt.Errorf("%w: status line", ErrProtocol)
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return fmt.Errorf("%w: status code", ErrProtocol)
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 {
		return fmt.Errorf("%w: status code %d", ErrProtocol, h.status)
	}
	h.http10 = line[7] == '0'
	h.close = h.http10
	return nil
}

// parseField takes in the header fields that decide where the message ends, whether the connection
// lives and when to come again.
func (h *head) parseField(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 || bytes.IndexByte(line[:colon], ' ') >= 0 || bytes.IndexByte(line[:colon], '\t') >= 0 {
		return fmt.Errorf("%w: header field", ErrProtocol)
	}
	name := line[:colon]
	switch len(name) {
	case len("Connection"):
		if equalFold(name, "connection") {
			h.parseConnection(line[colon+1:])
		}
	case len("Retry-After"):
		if equalFold(name, "retry-after") {
			h.parseRetry(bytes.TrimSpace(line[colon+1:]))
		}
	case len("Content-Length"):
		if equalFold(name, "content-length") {
			return h.parseLength(bytes.TrimSpace(line[colon+1:]))
		}
	case len("Transfer-Encoding"):
		if equalFold(name, "transfer-encoding") {
			if h.chunked || !equalFold(bytes.TrimSpace(line[colon+1:]), "chunked") {
				return fmt.Errorf("%w: transfer encoding", ErrProtocol)
			}
			h.chunked = true
		}
	}
	return nil
}

// parseConnection looks for the options close and keep-alive (RFC 9112 §9.3); close wins.
func (h *head) parseConnection(value []byte) {
	for option := range bytes.SplitSeq(value, []byte{','}) {
		switch option = bytes.TrimSpace(option); {
		case equalFold(option, "close"):
			h.close = true
			return
		case equalFold(option, "keep-alive"):
			h.close = false
		}
	}
}

// parseRetry takes whole seconds up to a day; the other form, a date, is left aside: OpenBao does
// not send it.
func (h *head) parseRetry(value []byte) {
	if n, err := strconv.ParseUint(string(value), 10, 32); err == nil && n <= 86400 {
		h.retry = time.Duration(n) * time.Second //nolint:gosec // at most a day
	}
}

func (h *head) parseLength(value []byte) error {
	n, err := strconv.ParseUint(string(value), 10, 63)
	if err != nil || value[0] == '+' {
		return fmt.Errorf("%w: Content-Length", ErrProtocol)
	}
	if h.length >= 0 && h.length != int64(n) {
		return fmt.Errorf("%w: two different Content-Lengths", ErrProtocol)
	}
	h.length = int64(n)
	return nil
}

func readBody(br *bufio.Reader, h head, buf []byte) (Response, error) {
	r := Response{Status: h.status, Close: h.close, Body: buf[:0], RetryAfter: h.retry}
	var err error
	switch {
	case h.status == 204 || h.status == 304:
	case h.chunked && (h.length >= 0 || h.http10):
		// RFC 9112 §6.1 and §6.3: the framing of such a message is faulty; it is how responses are
		// smuggled.
		return r, fmt.Errorf("%w: chunked, yet with Content-Length or in HTTP/1.0", ErrProtocol)
	case h.chunked:
		r.Body, err = readAll(httputil.NewChunkedReader(br), r.Body)
		if err == nil {
			err = skipTrailer(br)
		}
	case h.length > MaxBody:
		return r, fmt.Errorf("%w: body of %d bytes, more than %d", ErrProtocol, h.length, MaxBody)
	case h.length >= 0:
		r.Body = append(r.Body, make([]byte, h.length)...)
		_, err = io.ReadFull(br, r.Body)
	default:
		r.Close = true
		r.Body, err = readAll(br, r.Body)
	}
	if err != nil {
		return r, noEOF(err)
	}
	return r, nil
}

func readAll(r io.Reader, buf []byte) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > MaxBody:
			return buf, fmt.Errorf("%w: body of more than %d bytes", ErrProtocol, MaxBody)
		case err == io.EOF: //nolint:errorlint // io.Reader's contract is the bare value
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// skipTrailer reads what follows the last chunk: trailer fields, which we have no use for, and an
// empty line.
func skipTrailer(br *bufio.Reader) error {
	for total := 0; ; {
		line, err := readLine(br)
		if err != nil {
			return noEOF(err)
		}
		if len(line) == 0 {
			return nil
		}
		if total += len(line); total > maxHeaderBytes {
			return fmt.Errorf("%w: trailer longer than %d bytes", ErrProtocol, maxHeaderBytes)
		}
	}
}

// readLine returns one line without its end. The result is valid until the next read.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("%w: line longer than %d bytes", ErrProtocol, br.Size())
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, nil
}

// noEOF turns an end in the middle of a message into an error that cannot be taken for a clean end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// equalFold compares ASCII case-insensitively; lower must be in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
