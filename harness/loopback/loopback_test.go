package loopback

import (
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPorts: tests run side by side and dial each other, so that neither a port of the kernel's
// own nor one that was given before will do.
func TestPorts(t *testing.T) {
	t.Parallel()
	const each, callers = 3, 50
	var all sync.Map
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			base, err := Ports(each)
			if err != nil {
				t.Error(err)
				return
			}
			for port := base; port < base+each; port++ {
				if _, twice := all.LoadOrStore(port, true); twice || port < first || port >= ephemeralStart() {
					t.Errorf("port %d", port)
				}
			}
		})
	}
	group.Wait()
	all.Range(func(port, _ any) bool {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port.(int))))
		require.NoError(t, err)
		require.NoError(t, listener.Close())
		return true
	})
}

// TestPortsTaken: what something listens on is passed over, and a range that is too long refused.
func TestPortsTaken(t *testing.T) {
	t.Parallel()
	port, err := Ports(1)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	mutex.Lock()
	delete(given, port)
	require.False(t, free(port, 1))
	mutex.Unlock()
	_, err = Ports(ephemeral)
	require.ErrorIs(t, err, ErrNone)
}
