package loopback

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPorts: every port can be bound, and none is one that the kernel gives to connections.
func TestPorts(t *testing.T) {
	t.Parallel()
	for range 50 {
		base, err := Ports(3)
		require.NoError(t, err)
		for port := base; port < base+3; port++ {
			require.GreaterOrEqual(t, port, first)
			require.Less(t, port, ephemeralStart())
			listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			require.NoError(t, err)
			require.NoError(t, listener.Close())
		}
	}
}

// TestPortsTaken: ports are not free where something listens on one of them, and a range that is
// too long is refused.
func TestPortsTaken(t *testing.T) {
	t.Parallel()
	port, err := Ports(2)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1)))
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	require.True(t, free(port, 1))
	require.False(t, free(port, 2))
	_, err = Ports(ephemeral)
	require.ErrorIs(t, err, ErrNone)
}
