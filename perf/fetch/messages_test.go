package fetch

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMessages checks which answers over HTTP/1.1 are understood: those of OpenBao and of the
// proxies in front of it.
func TestMessages(t *testing.T) {
	t.Parallel()
	good, long := Result{Status: 200}, strings.Repeat("a", maxBody+1)
	failed := func(class Class) Result { return Result{Outcome: Failed, Class: class} }
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(zip, goodAnswer)
	require.NoError(t, zip.Close())
	for name, tc := range map[string]struct {
		in   string
		want Result
	}{
		"length": {fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(goodAnswer), goodAnswer), good},
		"chunked with trailer": {
			fmt.Sprintf("HTTP/1.1 200 OK\r\ntransfer-encoding:  Chunked \r\n\r\n%x;x=y\r\n%s\r\n0\r\nT: v\r\n\r\n",
				len(goodAnswer), goodAnswer), good,
		},
		"to the end": {"HTTP/1.1 200 OK\r\n\r\n" + goodAnswer, good},
		"HTTP/1.0":   {"HTTP/1.0 200 OK\r\n\r\n" + goodAnswer, good},
		"interim answers": {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200\r\n\r\n" +
			goodAnswer, good},
		"gzip":          {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + zipped.String(), good},
		"nothing":       {"", failed(classReset)},
		"half a header": {"HTTP/1.1 200 OK\r\nContent-Len", failed(classReset)},
		"half a chunk":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", failed(classReset)},
		"not gzip": {
			"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n" + long[:99],
			failed(classProtocol),
		},
		"another protocol": {"SSH-2.0-OpenSSH_9.2p1\r\n", failed(classProtocol)},
		"protocol switch": {
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
			failed(classProtocol),
		},
		"negative length":  {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", failed(classProtocol)},
		"two lengths":      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", failed(classProtocol)},
		"unknown encoding": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", failed(classProtocol)},
		"too long a body":  {"HTTP/1.1 200 OK\r\n\r\n" + long, failed(classProtocol)},
		"too long a header": {
			"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", (maxHeader+maxBody)/6+1) + "\r\n",
			failed(classProtocol),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := scripted(t, func(nc net.Conn) { _, _ = io.WriteString(nc, tc.in) })
			require.Equal(t, tc.want, summary(one(t.Context(), clientFor(t, target))))
		})
	}
}

// TestUnrequestedBytes checks that bytes after an answer are not taken for the next answer.
func TestUnrequestedBytes(t *testing.T) {
	t.Parallel()
	one200 := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(goodAnswer), goodAnswer)
	c := clientFor(t, scripted(t, func(nc net.Conn) { _, _ = io.WriteString(nc, one200+one200) }))
	c.Reuse = true
	for range 2 {
		r := one(t.Context(), c)
		require.Equal(t, Result{Status: 200}, summary(r))
		require.Equal(t, stepConnect, r.Steps[0].Step, "a new connection")
	}
}
