package faults

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// Cluster is a chart that is installed on a cluster, as faults need it. Package target/kind has one.
type Cluster interface {
	Issuer() *gitlab.Issuer // Rails' own, which OpenBao trusts
	Audience() string
	Publish(ctx context.Context, jwks []byte) error // as the keys of GitLab
	Service() string                                // URL that leads to the active Service
	CA() []byte                                     // of the API's certificate; nil for plain HTTP
	Container() string                              // of a pod that runs OpenBao
	// Pods are those of OpenBao that exist and have not ended, and Active the one that is active:
	// the error is what keeps them from being as many as asked for, all ready and one active.
	Pods(ctx context.Context) ([]corev1.Pod, error)
	Active(ctx context.Context) (*corev1.Pod, error)
	// Reach is a URL that leads to one pod and to no other, until done is called.
	Reach(ctx context.Context, pod string) (url string, done func(), err error)
	Log(ctx context.Context, pod string) (string, error) // of its container before the last restart
	// Query runs an SQL statement that only reads, and Exec any.
	Query(ctx context.Context, sql string) (string, error)
	Exec(ctx context.Context, sql string) (string, error)
	CrashDatabase(ctx context.Context) error
	Signal(ctx context.Context, pod, signal string) error
	Stopped(ctx context.Context, pod string) (bool, error) // by a signal
	Delete(ctx context.Context, pod *corev1.Pod, grace time.Duration) error
	Evict(ctx context.Context, pod *corev1.Pod) error
	Change(ctx context.Context) error // the configuration, by an upgrade
	// Cut drops or resets what a pod and others, or PostgreSQL, send each other. heal ends that and
	// returns how many packets it met.
	Cut(ctx context.Context, pod *corev1.Pod, reset bool, others ...string) (
		heal func(context.Context) (int, error), err error)
}

// pods are OpenBao's pods, as they come and go. Each gets a number in the history when it is seen
// first, and has it until it is gone.
type pods struct {
	Cluster
	record *history.Recorder
	nodes  []*node // in each the pod that is in this place now

	mu    sync.Mutex
	known map[types.UID]*podInfo
	made  int
	err   error // of the last list
}

// podInfo is one pod.
type podInfo struct {
	uid    types.UID
	name   string
	number int
	url    string // that leads to it alone
	done   func() // ends that

	last     corev1.Pod // as it was seen last
	restarts int32      // of OpenBao's container
	crashed  bool       // the last of them was by its own fault
	up       bool       // ready since it, or its container, was started
}

// podsEvery is how often the pods are listed.
const podsEvery = 250 * time.Millisecond

// newPods takes in the pods of a chart that is ready.
func newPods(ctx context.Context, c Cluster, record *history.Recorder) (*pods, error) {
	p := &pods{Cluster: c, record: record, known: map[types.UID]*podInfo{}}
	list, err := c.Pods(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		p.nodes = append(p.nodes, &node{pod: i, ca: c.CA()})
	}
	return p, p.see(ctx, list)
}

// run follows the pods until ctx ends.
func (p *pods) run(ctx context.Context) {
	for pause(ctx, podsEvery) == nil {
		list, err := p.Pods(ctx)
		if err == nil {
			err = p.see(ctx, list)
		}
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
	}
}

// close ends the ways to all pods.
func (p *pods) close() {
	for _, pod := range p.known {
		pod.done()
	}
}

// see takes in which pods there are.
func (p *pods) see(ctx context.Context, list []corev1.Pod) error {
	for uid, pod := range p.known {
		if !slices.ContainsFunc(list, func(now corev1.Pod) bool { return now.UID == uid }) {
			p.event(pod, history.Down)
			pod.done()
			p.mu.Lock()
			delete(p.known, uid)
			p.mu.Unlock()
		}
	}
	for i := range list {
		now := &list[i]
		pod := p.known[now.UID]
		if pod == nil {
			var err error
			if pod, err = p.meet(ctx, now); err != nil {
				return err
			}
		}
		if status := p.status(now); status != nil && status.RestartCount != pod.restarts {
			p.restarted(ctx, pod, status)
		}
		p.mu.Lock()
		pod.last = *now
		if status := p.status(now); status != nil {
			pod.restarts = status.RestartCount
		}
		p.mu.Unlock()
		if ready := isReady(now); ready && !pod.up {
			pod.up = true
			p.event(pod, history.Up)
		}
	}
	p.place()
	return nil
}

// meet takes in a new pod.
func (p *pods) meet(ctx context.Context, now *corev1.Pod) (*podInfo, error) {
	url, done, err := p.Reach(context.WithoutCancel(ctx), now.Name)
	if err != nil {
		return nil, fmt.Errorf("pod %s: %w", now.Name, err)
	}
	pod := &podInfo{uid: now.UID, name: now.Name, number: p.made, url: url, done: done, last: *now}
	if status := p.status(now); status != nil {
		pod.restarts = status.RestartCount
	}
	p.made++
	p.mu.Lock()
	p.known[now.UID] = pod
	p.mu.Unlock()
	p.event(pod, history.Started)
	p.log(pod, "it is "+now.Name)
	return pod, nil
}

// restarted records that Kubernetes started a pod's container again. It crashed where its log says
// so, or the kernel ended it for its memory. Else somebody or Kubernetes ended it, or it could not
// start: without its database OpenBao ends.
func (p *pods) restarted(ctx context.Context, pod *podInfo, status *corev1.ContainerStatus) {
	pod.up = false
	ended := status.LastTerminationState.Terminated
	if ended == nil {
		ended = &corev1.ContainerStateTerminated{}
	}
	p.log(pod, fmt.Sprintf("its container ended with code %d (%s)", ended.ExitCode, ended.Reason))
	text, _ := p.Log(ctx, pod.name)
	crashed := localbao.Panicked(text) || ended.Reason == "OOMKilled"
	p.mu.Lock()
	pod.crashed = crashed
	p.mu.Unlock()
	if crashed {
		for _, line := range localbao.LastWords(text) {
			p.log(pod, line)
		}
		p.event(pod, history.Crashed)
	}
	p.event(pod, history.Started)
}

// place gives each place whose pod is gone another one.
func (p *pods) place() {
	free := map[types.UID]*podInfo{}
	for uid, pod := range p.known {
		if pod.last.DeletionTimestamp == nil {
			free[uid] = pod
		}
	}
	for _, n := range p.nodes {
		if at := n.at.Load(); at != nil {
			delete(free, at.uid)
		}
	}
	for _, n := range p.nodes {
		at := n.at.Load()
		if at != nil && p.known[at.uid] != nil {
			continue
		}
		for uid, pod := range free {
			n.at.Store(pod)
			delete(free, uid)
			break
		}
	}
}

// status is that of OpenBao's container; nil while there is none.
func (p *pods) status(pod *corev1.Pod) *corev1.ContainerStatus {
	i := slices.IndexFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == p.Container() })
	if i < 0 {
		return nil
	}
	return &pod.Status.ContainerStatuses[i]
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func (p *pods) event(pod *podInfo, state string) {
	p.record.Event(history.Event{Kind: history.Pod, Name: state, Pod: pod.number})
}

func (p *pods) log(pod *podInfo, text string) {
	p.record.Event(history.Event{Kind: history.Log, Pod: pod.number, Text: text})
}

// now is a pod as it was seen last.
func (p *pods) now(pod *podInfo) corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	return pod.last
}

// has reports whether a pod still exists.
func (p *pods) has(pod *podInfo) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[pod.uid] != nil
}

// restartsOf is how often a pod's container was started again.
func (p *pods) restartsOf(pod *podInfo) int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return pod.restarts
}

// crashed reports whether a pod's container ended by its own fault last.
func (p *pods) crashed(pod *podInfo) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return pod.crashed
}

// holder implements system.
func (p *pods) holder(ctx context.Context) (string, error) { return p.Query(ctx, lockHolder) }

// forget implements system.
func (p *pods) forget(context.Context) {}

// leading implements system: the node that says that it leads. One that lost the lock may say so
// for a while, but the lock of the term before was its own.
func (p *pods) leading(ctx context.Context, _ string, before int) *node {
	var says []*node
	for _, n := range p.nodes {
		if h, err := n.health(ctx); err == nil && h.Active() {
			says = append(says, n)
		}
	}
	if len(says) > 1 {
		says = slices.DeleteFunc(says, func(n *node) bool { return n.number() == before })
	}
	if len(says) == 1 {
		return says[0]
	}
	return nil
}

// serves implements system.
func (p *pods) serves(ctx context.Context, leader int) error {
	active, err := p.Active(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	err = p.err
	p.mu.Unlock()
	if err != nil {
		return err
	}
	for _, n := range p.nodes {
		at := n.at.Load()
		switch now := p.now(at); {
		case !p.has(at) || now.DeletionTimestamp != nil:
			return fmt.Errorf("pod %s goes", at.name)
		case (at.uid == active.UID) != (at.number == leader):
			return fmt.Errorf("pod %s is active, and pod %d holds the lock", active.Name, leader)
		}
	}
	return serving(ctx, p.nodes, leader)
}

// serving returns what keeps nodes from serving, of which one leads.
func serving(ctx context.Context, nodes []*node, leader int) error {
	for _, n := range nodes {
		h, err := n.health(ctx)
		switch leads := n.number() == leader; {
		case err != nil:
			return err
		case leads && !h.Active(), !leads && h.Status != http.StatusTooManyRequests:
			return fmt.Errorf("node %d leads: the health of node %d is %d", leader, n.number(), h.Status)
		}
	}
	return nil
}

// Times of Kubernetes: the longest that a kubelet waits until it starts a container again, and the
// first, which doubles.
const (
	longestBackoff = 5 * time.Minute
	firstBackoff   = 10 * time.Second
)

// patience implements system: what the chart's probes and the kubelet's backoff may take in
// addition, until a pod is ready again.
func (p *pods) patience() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	for _, pod := range p.known {
		backoff := firstBackoff
		for range pod.restarts {
			backoff = min(2*backoff, longestBackoff)
		}
		total := backoff
		for i := range pod.last.Spec.Containers {
			c := &pod.last.Spec.Containers[i]
			for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
				if probe != nil {
					total += time.Duration(probe.InitialDelaySeconds+probe.PeriodSeconds*probe.FailureThreshold) * time.Second
				}
			}
		}
		if grace := pod.last.Spec.TerminationGracePeriodSeconds; grace != nil {
			total += time.Duration(*grace) * time.Second
		}
		longest = max(longest, total)
	}
	return longest
}
