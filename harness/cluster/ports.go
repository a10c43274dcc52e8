package cluster

import (
	"fmt"
	"net"
	"slices"
	"strconv"

	"gitlab.com/steamer/steamer/harness/exit"
)

// DefaultHostPort is the first loopback port that is tried for NodePort where a run names none.
const DefaultHostPort = 18200

// hostPorts is how many ports are tried from DefaultHostPort on.
const hostPorts = 800

// FreePort returns the first loopback port from DefaultHostPort on that can be bound and is none
// of taken. It asks the network namespace that the process is in. Another process may take the
// port before it is used.
func FreePort(taken ...int) (int, error) { return freePorts(1, taken...) }

// freePorts is the first of n free ports in a row.
func freePorts(n int, taken ...int) (int, error) {
	row := 0
	for port := DefaultHostPort; port < DefaultHostPort+hostPorts; port++ {
		row++
		if slices.Contains(taken, port) || portFree(port) != nil {
			row = 0
		}
		if row == n {
			return port - n + 1, nil
		}
	}
	ports := fmt.Sprintf("ports %d to %d", DefaultHostPort, DefaultHostPort+hostPorts-1)
	return 0, exit.Environmentf(ports, "name a free one with --port", "none of them can be bound on the loopback address")
}

func portFree(port int) error {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return exit.Invalidf("port "+strconv.Itoa(port), "choose another with --port, or name none to have a free one chosen",
			"it cannot be bound on the loopback address: %w", err)
	}
	return listener.Close()
}

// portsFree refuses ports that were named and cannot be had; those that are left to choose are 0.
func (opts Options) portsFree() error {
	if opts.Second && opts.HostPort != 0 && opts.HostPort == opts.SecondPort {
		return exit.Invalidf("port "+strconv.Itoa(opts.HostPort), "choose two", "it cannot lead to both systems")
	}
	for _, port := range []int{opts.HostPort, opts.SecondPort} {
		if port == 0 {
			continue
		}
		if err := portFree(port); err != nil {
			return err
		}
	}
	return nil
}

// choose fills in the name and the ports that the options leave open: the first of DefaultName,
// DefaultName-2, … that nothing on the engine has, and ports that are free, not to be avoided, and
// that no mark claims, because a cluster that is stopped now may be started again.
func (k *Kind) choose(opts Options, found []Found, avoid ...int) (Options, error) {
	if opts.Name == "" {
		for n := 1; opts.Name == "" || slices.ContainsFunc(found, func(f Found) bool { return f.Name == opts.Name }); n++ {
			opts.Name = k.base(opts)
			if n > 1 {
				opts.Name += "-" + strconv.Itoa(n)
			}
		}
	}
	taken := append(opts.ports(), avoid...)
	for _, f := range found {
		if o := f.Owner; o != nil {
			taken = append(taken, Options{
				HostPort: o.HostPort, SecondPort: o.SecondPort, Shards: o.Shards, shardPort: o.ShardPort,
			}.ports()...)
		}
	}
	var err error
	if opts.HostPort == 0 {
		if opts.HostPort, err = FreePort(taken...); err != nil {
			return opts, err
		}
	}
	if opts.Second && opts.SecondPort == 0 {
		if opts.SecondPort, err = FreePort(append(taken, opts.HostPort)...); err != nil {
			return opts, err
		}
	}
	if opts.Shards > 0 {
		opts.shardPort, err = freePorts(opts.Shards, append(taken, opts.HostPort, opts.SecondPort)...)
	}
	return opts, err
}

// ports are the loopback ports that are named or chosen, and 0 for those that are not.
func (opts Options) ports() []int {
	all := []int{opts.HostPort, opts.SecondPort}
	for shard := range opts.Shards {
		all = append(all, opts.shardPort+shard)
	}
	return all
}

// base is the first name that is tried. Comparisons have names of their own, because their
// clusters have two ports.
func (k *Kind) base(opts Options) string {
	if opts.Second {
		return k.me.DefaultName() + "-compare"
	}
	return k.me.DefaultName()
}
