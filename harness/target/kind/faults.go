package kind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Faults is a target as package faults breaks it.
type Faults struct {
	*Target
	queries scenario.Database // one session for all of them
	changes int
	done    func()
}

// Faults prepares a target to be broken: it removes what a killed run left on a kept cluster. Call
// End when done.
func (t *Target) Faults(ctx context.Context) (*Faults, error) {
	f := &Faults{Target: t}
	nodes, err := t.platform.Cluster.NodeNames(ctx)
	if err != nil {
		return nil, err
	}
	for _, node := range nodes {
		if _, err := f.heal(ctx, node); err != nil {
			return nil, fmt.Errorf("rules of earlier faults on node %s: %w", node, err)
		}
	}
	f.queries, f.done = t.env.OpenDatabase(ctx)
	return f, nil
}

// End closes what was opened for faults.
func (f *Faults) End() { f.done() }

// Issuer signs what GitLab signs.
func (f *Faults) Issuer() *gitlab.Issuer { return f.env.Issuer }

// Audience is the claim aud of every JWT.
func (f *Faults) Audience() string { return f.env.Audience() }

// Publish has the stub publish these keys, and no others.
func (f *Faults) Publish(ctx context.Context, jwks []byte) error {
	return f.env.GitLab().Publish(ctx, jwks)
}

// Service is the URL that leads to the active Service.
func (f *Faults) Service() string { return f.env.Address }

// CA is the certificate authority of the API, in PEM; nil for plain HTTP.
func (f *Faults) CA() []byte { return f.env.CA() }

// Pods are those of OpenBao that exist and have not ended.
func (f *Faults) Pods(ctx context.Context) ([]corev1.Pod, error) { return f.env.Pods(ctx) }

// Active is the active pod. The error is what keeps the pods from being as many as the chart asks
// for, all of them ready and exactly one of them active.
func (f *Faults) Active(ctx context.Context) (*corev1.Pod, error) { return f.env.Active(ctx) }

// Reach is a URL that leads to one pod and to no other, until done is called.
func (f *Faults) Reach(ctx context.Context, pod string) (url string, done func(), err error) {
	forward, err := f.env.ForwardPod(ctx, pod)
	if err != nil {
		return "", nil, err
	}
	return f.env.Scheme() + "://" + forward.Address(), forward.Close, nil
}

// Query runs one SQL statement that only reads, in a session that stays.
func (f *Faults) Query(ctx context.Context, sql string) (string, error) {
	return f.queries.Query(ctx, sql)
}

// Exec runs one SQL statement as PostgreSQL's administrator.
func (f *Faults) Exec(ctx context.Context, sql string) (string, error) {
	return f.env.Database().Query(ctx, sql)
}

// CrashDatabase has PostgreSQL crash and recover, and returns when it accepts connections again.
func (f *Faults) CrashDatabase(ctx context.Context) error { return f.env.CrashDatabase(ctx) }

// Signal sends a signal, named without SIG, to OpenBao in a pod.
func (f *Faults) Signal(ctx context.Context, pod, signal string) error {
	return f.env.Processes().Signal(ctx, f.env.Namespace, pod, f.env.Spec.Dialect.Container, signal)
}

// Stopped reports whether the first process of OpenBao's container is stopped.
func (f *Faults) Stopped(ctx context.Context, pod string) (bool, error) {
	out, err := f.env.Processes().Run(ctx, f.env.Namespace, pod, f.env.Spec.Dialect.Container, "cat", "/proc/1/stat")
	_, rest, _ := strings.Cut(string(out), ") ") // behind the name
	return strings.HasPrefix(rest, "T"), err
}

// logLines is how much of a container's log is read.
const logLines = 200

// Log is the end of what OpenBao's container in a pod wrote before it was last restarted.
func (f *Faults) Log(ctx context.Context, pod string) (string, error) {
	lines := int64(logLines)
	stream, err := f.pods().GetLogs(pod, &corev1.PodLogOptions{
		Container: f.env.Spec.Dialect.Container, Previous: true, TailLines: &lines,
	}).Stream(ctx)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(stream)
	return string(text), errors.Join(err, stream.Close())
}

// Container is the name of the container that runs OpenBao.
func (f *Faults) Container() string { return f.env.Spec.Dialect.Container }

// Delete deletes a pod in order. Its containers are killed where they take longer than grace.
func (f *Faults) Delete(ctx context.Context, pod *corev1.Pod, grace time.Duration) error {
	seconds := int64(grace.Seconds())
	return f.pods().Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &seconds, Preconditions: &metav1.Preconditions{UID: &pod.UID},
	})
}

// Evict evicts a pod as a drain does. The API refuses where a PodDisruptionBudget forbids it.
func (f *Faults) Evict(ctx context.Context, pod *corev1.Pod) error {
	return f.pods().EvictV1(ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
	})
}

// smallestCache is where the sizes of the cache begin that Change sets, in entries.
const smallestCache = 100_000

// Change upgrades the release with a configuration that no other upgrade had.
func (f *Faults) Change(ctx context.Context) error {
	f.changes++
	values, err := f.changer.Change(scenario.ChangeCacheSize, map[string]any{"size": smallestCache + f.changes})
	if err != nil {
		return err
	}
	return f.changer.Upgrade(ctx, scenario.Release{Values: values})
}

// cutMark is the comment of the rules that Cut makes, by which they are found again.
const cutMark = "steamer-fault"

// healScript prints the rules with what they have counted, and removes them.
const healScript = `iptables-save -c -t filter | grep -- "$1"
iptables-save -t filter | grep -- "$1" | sed 's/^-A/-D/' | while read -r rule; do iptables $rule || exit 1; done
! iptables-save -t filter | grep -q -- "$1"`

// counted is how iptables-save begins a rule: the packets that it has matched.
var counted = regexp.MustCompile(`(?m)^\[(\d+):`)

// Cut has a pod's node drop what the pod and others send each other, or reset it: the others are
// those at some addresses, or PostgreSQL where there are none. heal ends that, and returns how
// many packets it met. Rules are written into the network namespace of the node's container, never
// into the host's.
func (f *Faults) Cut(ctx context.Context, pod *corev1.Pod, reset bool, others ...string) (
	heal func(context.Context) (int, error), err error,
) {
	node := pod.Spec.NodeName
	heal = func(ctx context.Context) (int, error) { return f.heal(ctx, node) }
	action := "DROP"
	if reset {
		action = "REJECT --reject-with tcp-reset"
	}
	for _, rule := range cutRules(pod.Status.PodIP, f.env.DatabasePort(), others) {
		line := fmt.Sprintf("-I FORWARD -p tcp %s -m comment --comment %s -j %s", rule, cutMark, action)
		if _, err := f.platform.Engine.Run(ctx, append([]string{"exec", node, "iptables"},
			strings.Fields(line)...)...); err != nil {
			_, healErr := heal(context.WithoutCancel(ctx))
			return nil, errors.Join(err, healErr)
		}
	}
	return heal, nil
}

// heal removes the rules of faults on a node, and returns how many packets they have met.
func (f *Faults) heal(ctx context.Context, node string) (met int, err error) {
	out, err := f.platform.Engine.Run(ctx, "exec", node, "sh", "-c", healScript, "heal", cutMark)
	for _, rule := range counted.FindAllStringSubmatch(out, -1) {
		n, _ := strconv.Atoi(rule[1])
		met += n
	}
	return met, err
}

// cutRules match both ways between a pod and others, or PostgreSQL.
func cutRules(ip string, port int, others []string) []string {
	if len(others) == 0 {
		return []string{
			fmt.Sprintf("-s %s --dport %d", ip, port), fmt.Sprintf("-d %s --sport %d", ip, port),
		}
	}
	var rules []string
	for _, other := range others {
		rules = append(rules, fmt.Sprintf("-s %s -d %s", ip, other), fmt.Sprintf("-s %s -d %s", other, ip))
	}
	return rules
}
