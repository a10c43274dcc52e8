package faults

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// pods are OpenBao's pods, as they come and go. Each gets a number in the history when it is seen
// first, and has it until it is gone.
type pods struct {
	Cluster
	record *history.Recorder
	nodes  []*node   // in each the pod that is in this place now
	since  time.Time // when the leader of the last term became active

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
	for wait.Pause(ctx, podsEvery) == nil {
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
	i := slices.IndexFunc(pod.Status.ContainerStatuses,
		func(s corev1.ContainerStatus) bool { return s.Name == p.Container() })
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
