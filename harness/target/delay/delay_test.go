package delay_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/target/delay"
)

// echo serves one connection after the other, and sends back what comes, until it is stopped.
func echo(tb testing.TB) (address string, stop func()) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	return listener.Addr().String(), func() { _ = listener.Close(); <-done }
}

// TestDelay measures round trips of lines through the proxy to a server that echoes them.
func TestDelay(t *testing.T) {
	defer goleak.VerifyNone(t)
	address, stop := echo(t)
	defer stop()
	p, err := delay.Start(address)
	require.NoError(t, err)
	defer p.Stop()
	trip := func() time.Duration {
		c, err := net.Dial("tcp", p.Address())
		require.NoError(t, err)
		defer c.Close()
		began := time.Now()
		_, err = fmt.Fprintln(c, "hello")
		require.NoError(t, err)
		line, err := bufio.NewReader(c).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "hello\n", line)
		return time.Since(began)
	}
	require.NoError(t, p.Set(30*time.Millisecond))
	require.Equal(t, 30*time.Millisecond, p.Delay())
	for range 3 {
		require.GreaterOrEqual(t, trip(), 30*time.Millisecond)
	}
	require.NoError(t, p.Set(2500*time.Microsecond))
	fastest := time.Hour
	for range 10 {
		took := trip()
		// The proxy wakes up earlier by as much as waking up took when it was measured, so that it
		// can be early by that much at most.
		require.GreaterOrEqual(t, took, 2500*time.Microsecond-delay.Lateness())
		fastest = min(fastest, took)
	}
	require.Less(t, fastest, 20*time.Millisecond, "and is shorter after it was set so")

	require.Equal(t, exit.Invalid, exit.CodeOf(p.Set(-1)))
	require.Equal(t, exit.Invalid, exit.CodeOf(p.Set(time.Hour)))
	require.Equal(t, 2500*time.Microsecond, p.Delay(), "a refused delay changes nothing")
	_, err = delay.Start("nowhere")
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}
