package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
	"k8s.io/client-go/tools/clientcmd"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
)

// Proxy leads this machine's loopback ports to OpenBao and to the API server of a cluster, until
// ctx ends. It listens outside the namespace and serves inside: a socket stays where it was made.
func (s *Session) Proxy(ctx context.Context, name string, port, apiPort int) error {
	if s.Namespace == nil {
		listeners, err := s.listeners(ctx, port, apiPort)
		if err != nil || listeners != nil {
			return errors.Join(err, s.begin(ctx, handover{Listeners: listeners}))
		}
	}
	made, _, err := s.Open(ctx, name)
	if err != nil {
		return err
	}
	if s.Namespace == nil {
		_, err := fmt.Fprintf(s.Stdout, "no proxy is needed: the cluster's ports are on this machine's loopback address\n"+
			"export KUBECONFIG=%s\nexport BAO_ADDR=http://127.0.0.1:%d\n", made.Kubeconfig, made.HostPort)
		return err
	}
	if len(s.sockets) != 2 {
		return exit.Invalidf("steamer cluster proxy", "call it outside",
			"it was called inside the private engine's network namespace")
	}
	api, err := url.Parse(made.REST.Host)
	if err != nil {
		return err
	}
	return s.serve(ctx, made, api.Host)
}

// listeners are sockets on this machine's loopback, which the second part of the command inherits:
// OpenBao's and the API server's. There are none where no private engine is.
func (s *Session) listeners(ctx context.Context, ports ...int) ([]int, error) {
	private, err := s.Elsewhere(ctx)
	if err != nil || !private {
		return nil, err
	}
	var descriptors []int
	for _, port := range ports {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return nil, exit.Invalidf("port "+strconv.Itoa(port), "choose another with --port or --api-port", "%w", err)
		}
		tcp, ok := listener.(*net.TCPListener)
		if !ok {
			return nil, fmt.Errorf("a listener of type %T", listener)
		}
		file, err := tcp.File()
		if err != nil {
			return nil, err
		}
		if _, err := unix.FcntlInt(file.Fd(), unix.F_SETFD, 0); err != nil {
			return nil, err
		}
		s.inherit = append(s.inherit, file)
		descriptors = append(descriptors, int(file.Fd()))
	}
	return descriptors, nil
}

// serve leads what comes in on the inherited sockets to OpenBao and to the API server, until ctx
// ends.
func (s *Session) serve(ctx context.Context, made *cluster.Cluster, api string) error {
	dir, err := os.MkdirTemp("", "steamer-proxy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var group sync.WaitGroup
	defer group.Wait()
	targets, addresses := []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(made.HostPort)), api}, make([]string, 2)
	for i, fd := range s.sockets {
		unix.CloseOnExec(fd)
		file := os.NewFile(uintptr(fd), "listener")
		listener, err := net.FileListener(file)
		_ = file.Close()
		if err != nil {
			return err
		}
		addresses[i] = listener.Addr().String()
		stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
		defer stop()
		group.Go(func() { lead(ctx, listener, targets[i]) })
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := outside(made.Kubeconfig, kubeconfig, addresses[1]); err != nil {
		return err
	}
	fmt.Fprintf(s.Stdout, "export KUBECONFIG=%s\nexport BAO_ADDR=http://%s\n", kubeconfig, addresses[0])
	s.Note("until Ctrl-C these lead to cluster " + made.Name + ", OpenBao's while it is installed")
	<-ctx.Done()
	return nil
}

// outside writes a kubeconfig that leads to address instead of the API server's own.
func outside(from, to, address string) error {
	config, err := clientcmd.LoadFromFile(from)
	if err != nil {
		return err
	}
	for _, c := range config.Clusters {
		c.Server = "https://" + address
	}
	return clientcmd.WriteToFile(*config, to)
}

// lead connects what a listener accepts with an address.
func lead(ctx context.Context, listener net.Listener, address string) {
	var group sync.WaitGroup
	defer group.Wait()
	for {
		client, err := listener.Accept()
		if err != nil {
			return // it was closed
		}
		group.Go(func() { join(ctx, client, address) })
	}
}

// join copies both ways until both sides have ended, or ctx.
func join(ctx context.Context, client net.Conn, address string) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
	defer stop()
	var group sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		group.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			if half, ok := pair[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		})
	}
	group.Wait()
}
