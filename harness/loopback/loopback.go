// Package loopback finds ports of the loopback address for servers that take their port from a
// flag or a file, and so cannot be given a listener.
package loopback

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

// The ports to choose from end where the kernel's own begin: a port that the kernel hands out may
// become the local end of any connection between its choice and its use. 32768 is Linux's default;
// ip_local_port_range can lower it.
const (
	first     = 20000
	ephemeral = 32768
	rangeFile = "/proc/sys/net/ipv4/ip_local_port_range"
	tries     = 1000
)

// ErrNone means that no such ports were found in 1000 random tries.
var ErrNone = errors.New("no free ports on the loopback address")

// Ports returns the first of n consecutive ports that can be bound on 127.0.0.1, chosen at random
// from 20000 up to where the kernel's ephemeral ports begin. Another caller takes one of them
// before it is used only if it chooses the same of some 12,000 in that moment. The error is
// ErrNone.
func Ports(n int) (int, error) {
	end := ephemeralStart()
	if end-n <= first {
		return 0, fmt.Errorf("%w: the kernel's ephemeral ports begin at %d (%s)", ErrNone, end, rangeFile)
	}
	for range tries {
		base := first + rand.IntN(end-n-first)
		if free(base, n) {
			return base, nil
		}
	}
	return 0, ErrNone
}

func free(base, n int) bool {
	for port := base; port < base+n; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		if err := listener.Close(); err != nil {
			return false
		}
	}
	return true
}

// ephemeralStart is the first port that the kernel gives to connections, or Linux's default where
// it does not say.
func ephemeralStart() int {
	text, err := os.ReadFile(rangeFile)
	if err != nil {
		return ephemeral
	}
	start := ephemeral
	if _, err := fmt.Sscan(string(text), &start); err != nil {
		return ephemeral
	}
	return start
}
