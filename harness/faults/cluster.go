package faults

import (
	"context"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/gitlab"
)

// Cluster is a chart that is installed on a cluster, as faults need it. Package target/kind has
// one.
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
	// Cut drops or resets what a pod and others, or PostgreSQL, send each other. heal ends that
	// and returns how many packets it met.
	Cut(ctx context.Context, pod *corev1.Pod, reset bool, others ...string) (
		heal func(context.Context) (int, error), err error)
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
// for a while, also after the other one got it, but it has not become active since the last term
// began.
func (p *pods) leading(ctx context.Context, _ string) *node {
	var leads *node
	var since time.Time
	for _, n := range p.nodes {
		says, err := n.leading(ctx)
		switch {
		case err != nil || !says.Self || says.Since.IsZero() || says.Since.Equal(p.since):
		case leads != nil:
			return nil // one of the two will give up
		default:
			leads, since = n, says.Since
		}
	}
	if leads != nil {
		p.since = since
	}
	return leads
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
