package wire

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const request = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"

// TestConnAgainstNetHTTP exchanges requests with Go's own server: short answers carry a length,
// long ones are chunked.
func TestConnAgainstNetHTTP(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 10_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short":
			_, _ = w.Write([]byte("short"))
		case "/long":
			_, _ = w.Write([]byte(long))
		case "/close":
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	nc, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	c := NewConn(nc)
	defer c.Close()
	require.False(t, c.Used())
	for range 3 {
		for path, want := range map[string]string{"/short": "short", "/long": long, "/none": ""} {
			resp, err := c.RoundTrip(t.Context(), []byte("GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"),
				time.Now().Add(time.Minute))
			require.NoError(t, err)
			require.Equal(t, 200, resp.Status)
			require.Equal(t, want, string(resp.Body))
			require.False(t, resp.Close)
			require.True(t, c.Used())
		}
	}
	resp, err := c.RoundTrip(t.Context(), []byte("GET /close HTTP/1.1\r\nHost: h\r\n\r\n"), time.Now().Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, 403, resp.Status)
	require.True(t, resp.Close)
}

func TestConnUnaskedBytes(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer server.Close()
	c := NewConn(client)
	defer c.Close()
	go func() {
		_, _ = bufio.NewReader(server).ReadString('\n')
		_, _ = server.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n"))
	}()
	resp, err := c.RoundTrip(t.Context(), []byte("\n"), time.Now().Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, "a", string(resp.Body))
	require.True(t, resp.Close, "a second answer would be taken for that of the next request")
}

func TestConnGivesUp(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, answers never
	require.NoError(t, err)
	t.Cleanup(func() { silent.Close() }) // after the parallel subtests
	for name, tc := range map[string]struct {
		timeout, cancelAfter time.Duration
	}{
		"at the deadline":       {timeout: 50 * time.Millisecond, cancelAfter: time.Hour},
		"when the context ends": {timeout: time.Hour, cancelAfter: 50 * time.Millisecond},
		"when it has ended":     {timeout: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc, err := net.Dial("tcp", silent.Addr().String())
			require.NoError(t, err)
			c := NewConn(nc)
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), tc.cancelAfter)
			defer cancel()
			start := time.Now()
			_, err = c.RoundTrip(ctx, []byte(request), start.Add(tc.timeout))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Less(t, time.Since(start), 10*time.Second)
		})
	}
}
