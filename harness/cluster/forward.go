package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"gitlab.com/steamer/steamer/harness/exit"
)

// forwardPoll is how often a Forward asks which pod its Service leads to; forwardDial bounds the
// first round trip to it.
const (
	forwardPoll = 500 * time.Millisecond
	forwardDial = 10 * time.Second
)

// Forward leads a loopback port to a pod, or to the pod behind a Service, by the API server, and
// follows the Service to another pod. Connections to the old pod end then, as they do when a
// leader dies. While no pod answers, connections are closed at once.
type Forward struct {
	cluster   *Cluster
	namespace string
	endpoint  func(context.Context) (pod string, port int32, err error) // where it leads
	probe     Probe

	listener net.Listener
	cancel   context.CancelFunc
	group    sync.WaitGroup
	mu       sync.Mutex
	target   *tunnel
	last     error
}

// tunnel is a port-forward to one pod.
type tunnel struct {
	pod     string
	address string // loopback address of client-go's own listener
	stop    func()
	done    chan struct{} // closed when the connection to the pod is gone
}

// Probe is the request by which a forward proves a pod; any status is an answer.
type Probe struct {
	Scheme string // http or https
	Path   string // of the URL
	Client *http.Client
}

// ForwardService begins to forward 127.0.0.1:HostPort to the Service until Close or the end of
// ctx. A pod takes part only after it answered the probe. The error is of code exit.Invalid: the
// port cannot be bound.
func (c *Cluster) ForwardService(ctx context.Context, namespace, service string, probe Probe) (*Forward, error) {
	f, err := c.forward(ctx, c.HostPort, namespace, probe, func(ctx context.Context) (string, int32, error) {
		return c.endpoint(ctx, namespace, service)
	})
	if err != nil {
		return nil, exit.Invalidf("port "+strconv.Itoa(c.HostPort), "choose another with --port", "%w", err)
	}
	return f, nil
}

// ForwardPod forwards a free loopback port to a port of one pod, also while it is not ready.
func (c *Cluster) ForwardPod(ctx context.Context, namespace, pod string, port int, probe Probe) (*Forward, error) {
	return c.forward(ctx, 0, namespace, probe, func(context.Context) (string, int32, error) {
		return pod, int32(port), nil
	})
}

func (c *Cluster) forward(ctx context.Context, host int, namespace string, probe Probe,
	endpoint func(context.Context) (string, int32, error),
) (*Forward, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(host)))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &Forward{cluster: c, namespace: namespace, endpoint: endpoint, probe: probe, listener: listener, cancel: cancel}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	f.group.Go(func() { f.follow(ctx) })
	f.group.Go(func() { f.accept(ctx) })
	return f, nil
}

// Address is the loopback address, host:port, that it forwards.
func (f *Forward) Address() string { return f.listener.Addr().String() }

// Close ends the forward and its connections, and waits for them.
func (f *Forward) Close() {
	f.cancel()
	f.group.Wait()
}

// Err says why no pod takes part at the moment; nil while one does.
func (f *Forward) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.target != nil {
		return nil
	}
	return f.last
}

// follow keeps the target the pod that the Service leads to.
func (f *Forward) follow(ctx context.Context) {
	ticker := time.NewTicker(forwardPoll)
	defer ticker.Stop()
	defer f.swap(nil, nil)
	for {
		if err := f.look(ctx); err != nil && ctx.Err() == nil {
			f.mu.Lock()
			f.last = err
			f.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look makes one comparison of the target with the Service.
func (f *Forward) look(ctx context.Context) error {
	f.mu.Lock()
	current := f.target
	f.mu.Unlock()
	if current != nil {
		select {
		case <-current.done:
			f.swap(nil, portforward.ErrLostConnectionToPod)
			current = nil
		default:
		}
	}
	pod, port, err := f.endpoint(ctx)
	if err != nil {
		return err // without an endpoint the old pod may still answer; its end is seen above
	}
	if current != nil && current.pod == pod {
		return nil
	}
	next, err := f.open(ctx, pod, port)
	if err != nil {
		return fmt.Errorf("port-forward to pod %s: %w", pod, err)
	}
	f.swap(next, nil)
	return nil
}

func (f *Forward) swap(next *tunnel, why error) {
	f.mu.Lock()
	old := f.target
	f.target, f.last = next, why
	f.mu.Unlock()
	if old != nil {
		old.stop()
	}
}

// endpoint is the one ready pod behind a Service and its port.
func (c *Cluster) endpoint(ctx context.Context, namespace, service string) (pod string, port int32, err error) {
	options := metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service}
	slices, err := c.Client.DiscoveryV1().EndpointSlices(namespace).List(ctx, options)
	if err != nil {
		return "", 0, err
	}
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			ready := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
			if ready && endpoint.TargetRef != nil && endpoint.TargetRef.Kind == "Pod" && len(slice.Ports) > 0 &&
				slice.Ports[0].Port != nil {
				return endpoint.TargetRef.Name, *slice.Ports[0].Port, nil
			}
		}
	}
	return "", 0, fmt.Errorf("service %s/%s leads to no ready pod", namespace, service)
}

// open makes a tunnel to a pod and proves it by one HTTP round trip.
func (f *Forward) open(ctx context.Context, pod string, port int32) (*tunnel, error) {
	transport, upgrader, err := spdy.RoundTripperFor(f.cluster.REST)
	if err != nil {
		return nil, err
	}
	target := f.cluster.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(f.namespace).Name(pod).SubResource(
		"portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	ready, done, failed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	own, stop := context.WithCancel(silent(ctx)) // a pod that goes away is expected here
	ports := []string{fmt.Sprintf("0:%d", port)}
	forwarder, err := portforward.NewOnAddressesWithContext(own, dialer, []string{"127.0.0.1"}, ports, ready, io.Discard,
		io.Discard)
	if err != nil {
		stop()
		return nil, err
	}
	f.group.Go(func() { defer close(done); failed <- forwarder.ForwardPorts() })
	t := &tunnel{pod: pod, done: done, stop: stop}
	ctx, cancel := context.WithTimeout(ctx, forwardDial)
	defer cancel()
	select {
	case <-ready:
	case err := <-failed:
		stop()
		return nil, err
	case <-ctx.Done():
		t.stop()
		return nil, ctx.Err()
	}
	forwarded, err := forwarder.GetPorts()
	if err == nil {
		t.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(int(forwarded[0].Local)))
		err = f.probe.ask(ctx, t.address)
	}
	if err != nil {
		t.stop()
		return nil, err
	}
	return t, nil
}

// ask makes the request to an address.
func (p Probe) ask(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		(&url.URL{Scheme: p.Scheme, Host: address, Path: p.Path}).String(), nil)
	if err != nil {
		return err
	}
	response, err := p.Client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return errors.Join(err, response.Body.Close())
}

func (f *Forward) accept(ctx context.Context) {
	for {
		connection, err := f.listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			continue // e.g. too many open files: the next may succeed
		}
		f.mu.Lock()
		target := f.target
		f.mu.Unlock()
		if target == nil {
			_ = connection.Close()
			continue
		}
		f.group.Go(func() { pipe(ctx, connection, target) })
	}
}

// pipe copies both ways until either side ends, the tunnel does, or ctx.
func pipe(ctx context.Context, client net.Conn, t *tunnel) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.address)
	if err != nil {
		return
	}
	defer server.Close()
	ended := make(chan struct{}, 2)
	var group sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		group.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			ended <- struct{}{}
		})
	}
	select {
	case <-ended:
	case <-t.done:
	case <-ctx.Done():
	}
	_, _ = client.Close(), server.Close()
	group.Wait()
}
