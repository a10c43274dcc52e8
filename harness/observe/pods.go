package observe

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	informers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
)

// PodSource says which pods belong to the environment.
type PodSource struct {
	Client     kubernetes.Interface
	Namespaces []string
}

// podWatcher follows the environment's pods: which component a container belongs to, which pod is
// active, what restarted.
type podWatcher struct {
	source PodSource

	mu         sync.Mutex
	containers map[string]result.ResourceSeries // by container ID
	byName     map[string]result.ResourceSeries // by namespace/pod/container
	nodes      map[string]bool                  // that the pods run on
	restarts   map[string]int32                 // by namespace/pod/container
	present    map[string][]podRef              // pods that exist, by namespace
	// pods that are labelled as active, sorted; one but for a takeover that went wrong
	leaders  []string
	running  map[string]map[string]result.ResourceSeries // containers that run, by namespace, then by pod/container
	lives    map[types.UID]*life
	timeline []result.Event
}

func newPodWatcher(source PodSource) *podWatcher {
	return &podWatcher{
		source: source, containers: map[string]result.ResourceSeries{}, byName: map[string]result.ResourceSeries{},
		nodes: map[string]bool{}, restarts: map[string]int32{}, present: map[string][]podRef{},
		running: map[string]map[string]result.ResourceSeries{}, lives: map[types.UID]*life{},
	}
}

// podRef is a pod that exists.
type podRef struct {
	namespace, name string
	labels          labels.Set
}

// started are the pods that a selector matches and that have started.
func (w *podWatcher) started(selector labels.Selector) []podRef {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []podRef
	for _, pods := range w.present {
		for _, pod := range pods {
			if selector.Matches(pod.labels) {
				found = append(found, pod)
			}
		}
	}
	return found
}

// run reads the states of the pods every second until ctx ends. It watches the pods, because
// decoding a list each second was half the cost of observing.
func (w *podWatcher) run(ctx context.Context) error {
	followed := make([]*followedPods, len(w.source.Namespaces))
	for i, namespace := range w.source.Namespaces {
		followed[i] = follow(ctx, w.source.Client, namespace, w.follow)
		defer followed[i].ended.Wait()
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		for i, namespace := range w.source.Namespaces {
			if pods, ok := followed[i].pods(); ok {
				w.see(time.Now().UTC(), pods)
				w.exist(namespace, pods)
			}
		}
		select {
		case <-ctx.Done():
			var failed error
			for i, namespace := range w.source.Namespaces {
				if err := followed[i].gap(); err != nil {
					failed = fmt.Errorf("pods of namespace %s: %w", namespace, err)
				}
			}
			return failed
		case <-ticker.C:
		}
	}
}

// followedPods are the pods of a namespace as a watch keeps them.
type followedPods struct {
	informer cache.SharedIndexInformer
	ended    sync.WaitGroup // of the informer

	mu     sync.Mutex
	failed error
}

// follow watches the pods of a namespace and hands each state of each of them to changed, in
// order.
func follow(ctx context.Context, client kubernetes.Interface, namespace string,
	changed func(now time.Time, pod *corev1.Pod, gone bool),
) *followedPods {
	f := &followedPods{informer: informers.NewPodInformer(client, namespace, 0, cache.Indexers{})}
	_ = f.informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector,
		err error,
	) { // fails for a started one only
		f.mu.Lock()
		defer f.mu.Unlock()
		f.failed = err
	})
	_, _ = f.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails for a stopped one only
		AddFunc:    func(object any) { hand(changed, object, false) },
		UpdateFunc: func(_, object any) { hand(changed, object, false) },
		DeleteFunc: func(object any) { hand(changed, object, true) },
	})
	f.ended.Go(func() { f.informer.RunWithContext(ctx) })
	return f
}

// pods are those that exist, once they are known at all.
func (f *followedPods) pods() ([]corev1.Pod, bool) {
	if !f.informer.HasSynced() {
		return nil, false
	}
	var all []corev1.Pod
	for _, object := range f.informer.GetStore().List() {
		if pod, ok := object.(*corev1.Pod); ok {
			all = append(all, *pod)
		}
	}
	return all, true
}

// gap is why nothing was ever known. A watch that breaks is begun again.
func (f *followedPods) gap() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.informer.HasSynced() {
		return nil
	}
	return f.failed
}

func (w *podWatcher) exist(namespace string, pods []corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.present[namespace] = w.present[namespace][:0]
	w.running[namespace] = map[string]result.ResourceSeries{}
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			if status.State.Running != nil {
				name := pod.Name + "/" + status.Name
				w.running[namespace][name] = w.byName[namespace+"/"+name]
			}
		}
		if pod.Status.Phase == corev1.PodRunning {
			w.present[namespace] = append(w.present[namespace], podRef{pod.Namespace, pod.Name, pod.Labels})
		}
	}
}

func (w *podWatcher) see(now time.Time, pods []corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var leaders []string
	for _, pod := range pods {
		component := pod.Labels["app.kubernetes.io/name"]
		if component == string(openbao.KindVault) {
			component = string(openbao.KindOpenBao) // the server under test, whichever it is
		}
		role := ""
		switch openbao.Registered(pod.Labels, openbao.LabelActive) {
		case "":
		case "true":
			role = roleActive
			leaders = append(leaders, pod.Name)
		default:
			role = "standby"
		}
		if pod.Spec.NodeName != "" {
			w.nodes[pod.Spec.NodeName] = true
		}
		for _, status := range pod.Status.ContainerStatuses {
			id := status.ContainerID[strings.LastIndex(status.ContainerID, "/")+1:]
			name := pod.Namespace + "/" + pod.Name + "/" + status.Name
			w.byName[name] = describe(pod, status.Name, component, role)
			if id != "" {
				w.containers[id] = w.byName[name]
			}
			w.restarted(now, name, component, status)
		}
	}
	w.lead(now, leaders)
}

// describe names a container and says what it may use.
func describe(pod corev1.Pod, name, component, role string) result.ResourceSeries {
	out := result.ResourceSeries{Component: component, Name: pod.Name + "/" + name, Role: role}
	for _, container := range pod.Spec.Containers {
		if container.Name == name {
			out.CPURequest = container.Resources.Requests.Cpu().AsApproximateFloat64()
			out.CPULimit = container.Resources.Limits.Cpu().AsApproximateFloat64()
			out.MemoryLimit = container.Resources.Limits.Memory().AsApproximateFloat64() / (1 << 20)
		}
	}
	return out
}

// lead takes in which pods are labelled as active. OpenBao labels its own pod, so that one that
// lost the lock and cannot reach the API server keeps its label: the active Service then leads to
// both.
func (w *podWatcher) lead(now time.Time, pods []string) {
	slices.Sort(pods)
	before := w.leaders
	if len(pods) == 0 || slices.Equal(pods, before) {
		return
	}
	w.leaders = pods
	detail := strings.Join(pods, " and ") + " are labelled as active at once"
	switch {
	case len(before) == 0 && len(pods) == 1:
		return
	case len(pods) == 1 && len(before) == 1:
		detail = pods[0] + " leads after " + before[0]
	case len(pods) == 1:
		detail = pods[0] + " alone leads again"
	}
	w.timeline = append(w.timeline, result.Event{At: now, Kind: "leadership", Detail: detail})
}

// roleActive is the role of a pod that is marked as active.
const roleActive = "active"

func (w *podWatcher) restarted(now time.Time, container, component string, status corev1.ContainerStatus) {
	before, known := w.restarts[container]
	w.restarts[container] = status.RestartCount
	if !known || status.RestartCount <= before {
		return
	}
	_, name, _ := strings.Cut(container, "/")
	event := result.Event{At: now, Kind: "restart", Detail: container + " restarted", Component: component, Name: name}
	if ended := status.LastTerminationState.Terminated; ended != nil {
		event.Detail += fmt.Sprintf(" (%s, exit code %d)", ended.Reason, ended.ExitCode)
		event.Reason, event.ExitCode = ended.Reason, int(ended.ExitCode)
	}
	w.timeline = append(w.timeline, event)
}

// container describes the container with an ID.
func (w *podWatcher) container(id string) (result.ResourceSeries, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	described, ok := w.containers[id]
	return described, ok
}

// named describes the container with the name namespace/pod/container.
func (w *podWatcher) named(name string) (result.ResourceSeries, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	described, ok := w.byName[name]
	return described, ok
}

// nodeNames are the nodes that the environment's pods run on.
func (w *podWatcher) nodeNames() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.nodes))
}

func (w *podWatcher) events() []result.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]result.Event(nil), w.timeline...)
}

func sortSeries(all []result.ResourceSeries) {
	sort.Slice(all, func(i, j int) bool {
		if all[i].Component != all[j].Component {
			return all[i].Component < all[j].Component
		}
		return all[i].Name < all[j].Name
	})
}
