package observe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/net"

	"gitlab.com/steamer/steamer/harness/result"
)

// Server reads OpenBao's own metrics of each of its pods about once a second. It is a Source.
type Server struct {
	Selector string // label selector of the OpenBao pods
	// Read returns a pod's metrics in Prometheus' text format.
	Read func(ctx context.Context, namespace, pod string) ([]byte, error)
}

// PodMetrics reads metrics by a scheme, http or https, from a port of the pods through the API
// server's proxy, as the scenarios do: it needs no way into the cluster's network.
func PodMetrics(source PodSource, scheme string, port int) func(ctx context.Context, namespace, pod string) (
	[]byte, error,
) {
	return func(ctx context.Context, namespace, pod string) ([]byte, error) {
		return source.Client.CoreV1().RESTClient().Get().Namespace(namespace).Resource("pods").
			Name(net.JoinSchemeNamePort(scheme, pod, strconv.Itoa(port))).SubResource("proxy").Suffix("v1", "sys", "metrics").
			Param("format", "prometheus").DoRaw(ctx)
	}
}

// ActiveHeap is the Go heap in MiB, garbage included, of the active one of pods, by one reading of
// their metrics each.
func ActiveHeap(ctx context.Context, read func(ctx context.Context, namespace, pod string) ([]byte, error),
	namespace string, pods []string,
) (float64, error) {
	var errs []error
	for _, pod := range pods {
		page, err := read(ctx, namespace, pod)
		var c counters
		if err == nil {
			c, err = parseExposition(page)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("metrics of pod %s/%s: %w", namespace, pod, err))
			continue
		}
		if c.active && c.heap > 0 {
			return c.heap / (1 << 20), nil
		}
	}
	return 0, errors.Join(append(errs, errors.New("no pod says that it is the active one"))...)
}

// readTimeout bounds one reading: a pod that hangs must not delay the next.
const readTimeout = 900 * time.Millisecond

func (s Server) attach(ctx context.Context, o *Observer) {
	o.server = &serverSeries{of: map[string]*podMetrics{}}
	selector, err := labels.Parse(s.Selector)
	if err != nil {
		o.note(fmt.Errorf("OpenBao's metrics: %w", err))
		return
	}
	o.group.Go(func() { o.note(o.server.run(ctx, s, o.pods, selector)) })
}

// serverSeries are the metrics of all pods.
type serverSeries struct {
	mu     sync.Mutex
	of     map[string]*podMetrics // by namespace/pod
	failed error                  // the last failure
}

// podMetrics are the metrics of one pod; the last counters turn into rates.
type podMetrics struct {
	out  result.ServerSeries
	at   time.Time
	last counters
}

func (s *serverSeries) run(ctx context.Context, from Server, pods *podWatcher, selector labels.Selector) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		var group sync.WaitGroup
		for _, pod := range pods.started(selector) {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, readTimeout)
				defer cancel()
				s.read(ctx, from, pod)
			})
		}
		group.Wait()
		select {
		case <-ctx.Done():
			return s.gap()
		case <-ticker.C:
		}
	}
}

// gap is why there is nothing at all. Pods come and go while faults are injected, so that single
// failures say nothing.
func (s *serverSeries) gap() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.of) == 0 && s.failed != nil {
		return fmt.Errorf("OpenBao's metrics: %w", s.failed)
	}
	return nil
}

func (s *serverSeries) read(ctx context.Context, from Server, pod podRef) {
	page, err := from.Read(ctx, pod.namespace, pod.name)
	var c counters
	if err == nil {
		c, err = parseExposition(page)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed = fmt.Errorf("pod %s/%s: %w", pod.namespace, pod.name, err)
		return
	}
	s.fold(pod, time.Now(), c)
}

// fold turns counters into a sample; the first page of a pod, and the first after its process
// began again, only sets the base.
func (s *serverSeries) fold(pod podRef, at time.Time, c counters) {
	key := pod.namespace + "/" + pod.name
	p, ok := s.of[key]
	if !ok {
		s.of[key] = &podMetrics{out: result.ServerSeries{Pod: pod.name}, at: at, last: c}
		return
	}
	elapsed, requests := at.Sub(p.at).Seconds(), c.requests-p.last.requests
	handle := c.handleMs - p.last.handleMs
	p.at, p.last = at, c
	if elapsed <= 0 || requests < 0 {
		return
	}
	sample := result.ServerSample{
		At: at.UTC(), Requests: requests / elapsed, InFlight: c.inFlight, Active: c.active, Unsealed: c.unsealed,
		LeadershipLost: int64(c.lost), HeapMiB: c.heap / (1 << 20), Goroutines: int64(c.goroutines), Leases: int64(c.leases),
	}
	if requests > 0 {
		sample.HandleMs = max(0, handle/requests)
	}
	p.out.Samples = append(p.out.Samples, sample)
}

func (s *serverSeries) series() []result.ServerSeries {
	var all []result.ServerSeries
	for _, key := range slices.Sorted(maps.Keys(s.of)) {
		if p := s.of[key]; len(p.out.Samples) > 0 {
			all = append(all, p.out)
		}
	}
	return all
}
