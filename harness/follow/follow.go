// Package follow keeps what the containers of some namespaces write, also those of pods that are
// gone by the time when somebody searches it. It keeps logs in memory, compressed: they may hold
// secrets.
package follow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	informers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Limit is how much all logs together may take, compressed, in bytes. Later lines are a gap.
const Limit = 192 << 20

// A stream that broke is opened again after a while, until so many attempts in a row have failed.
const (
	again    = time.Second
	attempts = 5
)

// Pods follows the logs of all containers in some namespaces. It is safe for concurrent use.
type Pods struct {
	kube      kubernetes.Interface
	cancel    context.CancelFunc
	informers sync.WaitGroup
	readers   sync.WaitGroup
	used      atomic.Int64 // bytes of all logs

	mu      sync.Mutex
	stopped bool
	broken  error           // why the pods of a namespace cannot be watched; nil while they can
	logs    map[string]*log // also forgotten ones, which must not be read again
	order   []*log
}

// Start begins to follow the pods of some namespaces, which need not exist yet. Stop what it
// returns.
func Start(ctx context.Context, kube kubernetes.Interface, namespaces ...string) *Pods {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &Pods{kube: kube, cancel: cancel, logs: map[string]*log{}}
	for _, namespace := range namespaces {
		informer := informers.NewPodInformer(kube, namespace, 0, cache.Indexers{})
		see := func(object any) {
			if pod, isPod := object.(*corev1.Pod); isPod {
				p.see(ctx, pod)
			}
		}
		// Both fail only after the informer has started.
		_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
			p.watched(namespace, err)
		})
		_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: see, UpdateFunc: func(_, object any) { see(object) }, DeleteFunc: p.gone,
		})
		p.informers.Go(func() { informer.RunWithContext(ctx) })
	}
	return p
}

// watched notes why a namespace cannot be watched. A watch that only ended is begun again.
func (p *Pods) watched(namespace string, err error) {
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.broken = fmt.Errorf("the pods of %s cannot be watched: %w", namespace, err)
	}
}

// Stop ends following and returns when nothing is read any more. What was kept stays.
func (p *Pods) Stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.cancel()
	p.informers.Wait()
	p.readers.Wait()
}

// Each calls do with each log so far, from its beginning, in the order in which the containers
// appeared. It stops at the first error, and returns what could not be kept.
func (p *Pods) Each(do func(source string, log io.Reader) error) (gaps []string, err error) {
	p.mu.Lock()
	order := append([]*log(nil), p.order...)
	if p.broken != nil {
		gaps = append(gaps, p.broken.Error())
	}
	p.mu.Unlock()
	for _, l := range order {
		content, gap, err := l.content()
		if err == nil {
			err = do(l.source, content)
		}
		if err != nil {
			return gaps, fmt.Errorf("%s: %w", l.source, err)
		}
		if gap != "" {
			gaps = append(gaps, l.source+": "+gap)
		}
	}
	return gaps, nil
}

// Forget drops the logs of containers that had ended when it was last called: what searched the
// logs since then had all of them. What is missing of them is no gap any more.
func (p *Pods) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order = slices.DeleteFunc(p.order, func(l *log) bool {
		freed, forgotten := l.forget()
		p.used.Add(-int64(freed))
		return forgotten
	})
}

// own begins the generated names of pods that Steamer makes for a moment and deletes at once: they
// hold nothing of the chart's.
const own = "steamer-"

// see takes in the state of a pod, and begins to read the logs of its containers that are new.
func (p *Pods) see(ctx context.Context, pod *corev1.Pod) {
	if len(pod.OwnerReferences) == 0 && strings.HasPrefix(pod.GenerateName, own) {
		return
	}
	statuses := append(append(append([]corev1.ContainerStatus(nil), pod.Status.InitContainerStatuses...),
		pod.Status.ContainerStatuses...), pod.Status.EphemeralContainerStatuses...)
	for _, c := range statuses {
		if last := c.LastTerminationState.Terminated; last != nil {
			p.begin(ctx, pod, c, last.ContainerID, true)
		}
		if c.State.Running != nil || c.State.Terminated != nil {
			p.begin(ctx, pod, c, c.ContainerID, false)
		}
	}
}

// gone takes in that a pod was deleted: its name may be another pod's from now on.
func (p *Pods) gone(object any) {
	if last, isLast := object.(cache.DeletedFinalStateUnknown); isLast {
		object = last.Obj
	}
	pod, isPod := object.(*corev1.Pod)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.order {
		if isPod && l.pod == pod.UID {
			l.runs(false)
		}
	}
}

// begin reads a container's log unless that is done already.
func (p *Pods) begin(ctx context.Context, pod *corev1.Pod, c corev1.ContainerStatus, id string, ended bool) {
	key := fmt.Sprintf("%s %s %s", pod.UID, c.Name, id)
	running := !ended && c.State.Running != nil
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	if known := p.logs[key]; known != nil {
		known.runs(running)
		return
	}
	count := c.RestartCount
	if ended {
		count--
	}
	l := &log{
		source: fmt.Sprintf("log of %s/%s/%s (restart %d)", pod.Namespace, pod.Name, c.Name, max(0, count)),
		take:   p.take, pod: pod.UID, running: running,
	}
	p.logs[key], p.order = l, append(p.order, l)
	options := corev1.PodLogOptions{Container: c.Name, Previous: ended, Follow: running}
	p.readers.Go(func() { p.read(ctx, l, pod, options) })
}

// read copies a log until its container has ended.
func (p *Pods) read(ctx context.Context, l *log, pod *corev1.Pod, options corev1.PodLogOptions) {
	defer l.close()
	for failures := 0; failures < attempts; {
		began := time.Now()
		stream, err := p.kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &options).Stream(ctx)
		if err == nil {
			_, err = io.Copy(l, stream)
			_ = stream.Close()
		}
		if ctx.Err() != nil || errors.Is(err, errFull) || l.whole(err) {
			return
		}
		if failures++; err == nil {
			failures = 0
		}
		// The stream broke, or the container's end is not known yet. What is read twice does no
		// harm.
		if l.begun() {
			since := metav1.NewTime(began.Add(-again))
			options.SinceTime = &since
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// take asks for room for n bytes more. It must not lock: a log that asks is locked, and Pods locks
// its logs after itself.
func (p *Pods) take(n int) bool { return p.used.Add(int64(n)) <= Limit }
