package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestReadResponse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		want     Response
		rest     string // must be left unread
	}{
		{
			name: "length", in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\nhelloHTTP",
			want: Response{Status: 200, Body: []byte("hello")}, rest: "HTTP",
		},
		{
			name: "chunked with trailer",
			in:   "HTTP/1.1 200 OK\r\ntransfer-encoding:  Chunked \r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\nnext",
			want: Response{Status: 200, Body: []byte("abc0123456789")}, rest: "next",
		},
		{
			name: "until the end", in: "HTTP/1.1 200 OK\r\n\r\nhello",
			want: Response{Status: 200, Body: []byte("hello"), Close: true},
		},
		{
			name: "connection close", in: "HTTP/1.1 403 Forbidden\r\nConnection: foo, Close\r\nContent-Length: 0\r\n\r\n",
			want: Response{Status: 403, Body: []byte{}, Close: true},
		},
		{
			name: "HTTP/1.0 closes", in: "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
			want: Response{Status: 200, Body: []byte("a"), Close: true},
		},
		{
			name: "HTTP/1.0 keeps alive when it says so",
			in:   "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
			want: Response{Status: 200, Body: []byte("a")},
		},
		{
			name: "interim answers are skipped",
			in:   "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 503\r\nContent-Length: 0\r\n\r\n",
			want: Response{Status: 503, Body: []byte{}},
		},
		{
			name: "no content has no body", in: "HTTP/1.1 204 No Content\r\n\r\nrest",
			want: Response{Status: 204, Body: []byte{}}, rest: "rest",
		},
		{
			name: "lengths that agree", in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
			want: Response{Status: 200, Body: []byte("a")},
		},
		{
			name: "bare line feeds", in: "HTTP/1.1 200 OK\nContent-Length: 1\n\na",
			want: Response{Status: 200, Body: []byte("a")},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			// One byte at a time, so that no state depends on how packets are cut.
			br := bufio.NewReader(iotest.OneByteReader(strings.NewReader(tc.in)))
			got, err := ReadResponse(br, make([]byte, 3))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			rest, err := io.ReadAll(br)
			require.NoError(t, err)
			require.Equal(t, tc.rest, string(rest))
		})
	}
}

func TestReadResponseErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", io.EOF},
		{"cut in the status line", "HTTP/1.1 20", io.ErrUnexpectedEOF},
		{"cut after the status line", "HTTP/1.1 200 OK\r\n", io.ErrUnexpectedEOF},
		{"cut in the header", "HTTP/1.1 200 OK\r\nContent-Len", io.ErrUnexpectedEOF},
		{"cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", io.ErrUnexpectedEOF},
		{"cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", io.ErrUnexpectedEOF},
		{"cut after the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", io.ErrUnexpectedEOF},
		{"another protocol", "SSH-2.0-OpenSSH_9.2p1\r\n", ErrProtocol},
		{"another version", "HTTP/2.0 200 OK\r\n\r\n", ErrProtocol},
		{"a status that is no number", "HTTP/1.1 2x0 OK\r\n\r\n", ErrProtocol},
		{"a status too small", "HTTP/1.1 099 OK\r\n\r\n", ErrProtocol},
		{"a status too long", "HTTP/1.1 2000 OK\r\n\r\n", ErrProtocol},
		{"protocol switch", "HTTP/1.1 101 Switching Protocols\r\n\r\n", ErrProtocol},
		{"no colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", ErrProtocol},
		{"space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", ErrProtocol},
		{"folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c: d\r\n\r\n", ErrProtocol},
		{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ErrProtocol},
		{"signed length", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na", ErrProtocol},
		{"empty length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", ErrProtocol},
		{"lengths that differ", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", ErrProtocol},
		{
			"length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			ErrProtocol,
		},
		{"chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ErrProtocol},
		{"unknown encoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", ErrProtocol},
		{"too long a body", "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", ErrProtocol},
		{"too long a body without length", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("a", MaxBody+1), ErrProtocol},
		{"too long a line", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", bufferBytes) + "\r\n\r\n", ErrProtocol},
		{"too long a header", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxHeaderBytes/4+1) + "\r\n", ErrProtocol},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadResponse(bufio.NewReaderSize(strings.NewReader(tc.in), bufferBytes), nil)
			require.ErrorIs(t, err, tc.want)
			if tc.want == io.ErrUnexpectedEOF { //nolint:errorlint // a table entry
				require.NotErrorIs(t, err, ErrProtocol)
			}
		})
	}
}

// FuzzReadResponse holds ReadResponse against net/http: whatever ours accepts, theirs must accept,
// with the same status, body, and end of message.
func FuzzReadResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.0 403 Forbidden\r\nConnection: keep-alive, close\r\n\r\n{\"errors\":[]}",
		"HTTP/1.1 204 No Content\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		ours := bufio.NewReaderSize(bytes.NewReader(in), bufferBytes)
		got, err := ReadResponse(ours, nil)
		if err != nil {
			require.True(t, errors.Is(err, ErrProtocol) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
				strings.Contains(err.Error(), "chunk") || strings.Contains(err.Error(), "line too long"), "%v", err)
			return
		}
		theirs := bufio.NewReaderSize(bytes.NewReader(in), bufferBytes)
		want, body := reference(t, theirs)
		if want == nil {
			return
		}
		require.Equal(t, want.StatusCode, got.Status)
		require.Equal(t, string(body), string(got.Body))
		if want.Close {
			require.True(t, got.Close, "net/http closes")
		}
		if !got.Close {
			oursLeft, err1 := io.ReadAll(ours)
			theirsLeft, err2 := io.ReadAll(theirs)
			require.NoError(t, errors.Join(err1, err2))
			require.Equal(t, string(theirsLeft), string(oursLeft), "end of the message")
		}
	})
}

// reference reads what net/http makes of the input; nil where it is the stricter of the two without
// any harm: it checks header names and values we never look at.
func reference(t *testing.T, br *bufio.Reader) (*http.Response, []byte) {
	t.Helper()
	get := &http.Request{Method: http.MethodGet}
	for {
		resp, err := http.ReadResponse(br, get)
		if err != nil {
			return nil, nil
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, nil
		}
		if resp.StatusCode >= 200 {
			return resp, body
		}
	}
}
