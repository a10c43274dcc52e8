package observe

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/wait"
)

// member is a running pod of a controller.
func member(name, component, uid, owner string) *corev1.Pod {
	p := pod(name, "", 0)
	p.UID, p.Labels["app.kubernetes.io/name"] = types.UID(uid), component
	p.OwnerReferences = []metav1.OwnerReference{{Kind: owner, Name: "of-" + name}}
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses[0].State.Running = &corev1.ContainerStateRunning{}
	return &p
}

// TestReplacements changes pods of a made-up cluster while they are watched.
func TestReplacements(t *testing.T) {
	t.Parallel()
	evict := func(message string) func(context.Context, kubernetes.Interface, *corev1.Pod) error {
		return func(ctx context.Context, c kubernetes.Interface, p *corev1.Pod) error {
			p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", message
			_, err := c.CoreV1().Pods("n").UpdateStatus(ctx, p, metav1.UpdateOptions{})
			return err
		}
	}
	remove := func(ctx context.Context, c kubernetes.Interface, p *corev1.Pod) error {
		return c.CoreV1().Pods("n").Delete(ctx, p.Name, metav1.DeleteOptions{})
	}
	replace := func(ctx context.Context, c kubernetes.Interface, p *corev1.Pod) error {
		again := p.DeepCopy()
		again.UID = "another"
		err := remove(ctx, c, p)
		if err == nil {
			_, err = c.CoreV1().Pods("n").Create(ctx, again, metav1.CreateOptions{})
		}
		return err
	}
	disrupt := func(reason string) func(context.Context, kubernetes.Interface, *corev1.Pod) error {
		return func(ctx context.Context, c kubernetes.Interface, p *corev1.Pod) error {
			now := metav1.Now()
			p.DeletionTimestamp, p.Finalizers = &now, []string{"x/y"}
			p.Status.Conditions = []corev1.PodCondition{{
				Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
				Reason: reason, Message: "made room",
			}}
			_, err := c.CoreV1().Pods("n").Update(ctx, p, metav1.UpdateOptions{})
			return err
		}
	}
	for name, tc := range map[string]struct {
		pod    *corev1.Pod
		change func(context.Context, kubernetes.Interface, *corev1.Pod) error
		want   []result.Event // without times and details
	}{
		"deleted": {
			member("a", "openbao", "1", "ReplicaSet"), remove,
			[]result.Event{{Component: "openbao", Name: "a", Reason: "Deleted"}},
		},
		"of the same name": {
			member("a-0", "postgresql", "1", "StatefulSet"), replace,
			[]result.Event{{Component: "postgresql", Name: "a-0", Reason: "Deleted"}},
		},
		"evicted": {
			member("a", "openbao", "1", "ReplicaSet"), evict("The node was low on resource: memory."),
			[]result.Event{{
				Component: "openbao", Name: "a", Reason: "Evicted",
				Message: "The node was low on resource: memory.",
			}},
		},
		"preempted": {
			member("a", "openbao", "1", "ReplicaSet"), disrupt("PreemptionByScheduler"),
			[]result.Event{{Component: "openbao", Name: "a", Reason: "PreemptionByScheduler", Message: "made room"}},
		},
		"a Job's pod":      {member("a", "openbao", "1", "Job"), remove, nil},
		"a load generator": {member("a", "k6", "1", "Job"), remove, nil},
		"one that never ran": {func() *corev1.Pod {
			p := member("a", "openbao", "1", "ReplicaSet")
			p.Status.Phase = corev1.PodPending
			return p
		}(), remove, nil},
		"one that only waits": {member("a", "openbao", "1", "ReplicaSet"), func(context.Context, kubernetes.Interface,
			*corev1.Pod,
		) error {
			return nil
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sentinel := member("sentinel", "openbao", "sentinel", "ReplicaSet")
			client := fake.NewClientset(tc.pod, sentinel)
			o := Start(t.Context(), &engine.Engine{}, PodSource{Client: client, Namespaces: []string{"n"}}, nil, nil)
			await := func(what string, ready func() bool) {
				_, err := wait.Until(t.Context(), wait.For{What: what, Deadline: 20 * time.Second, Interval: 10 * time.Millisecond},
					func(context.Context) error {
						if !ready() {
							return errors.New("not yet")
						}
						return nil
					})
				require.NoError(t, err)
			}
			await("both pods are known", func() bool {
				o.pods.mu.Lock()
				defer o.pods.mu.Unlock()
				return len(o.pods.lives) >= 1 && o.pods.lives["sentinel"] != nil && (o.pods.lives[tc.pod.UID] != nil ||
					tc.want == nil)
			})
			require.NoError(t, tc.change(t.Context(), client, tc.pod.DeepCopy()))
			require.NoError(t, remove(t.Context(), client, sentinel)) // what comes after it has been seen, too
			await("the sentinel's end", func() bool {
				events := o.pods.events()
				return len(events) > 0 && events[len(events)-1].Name == "sentinel"
			})
			_, events, errs := o.Stop()
			require.Empty(t, errs)
			var got []result.Event
			for _, e := range events[:len(events)-1] {
				require.Equal(t, "replacement", e.Kind)
				require.Contains(t, e.Detail, "pod n/"+e.Name+" was lost ("+e.Reason)
				require.False(t, e.At.IsZero())
				e.Kind, e.Detail, e.At = "", "", time.Time{}
				got = append(got, e)
			}
			require.Equal(t, tc.want, got)
		})
	}
}

// TestEndedBefore: a pod that was on its way out when observation began is none of this load's.
func TestEndedBefore(t *testing.T) {
	t.Parallel()
	w := newPodWatcher(PodSource{})
	now := metav1.Now()
	p := member("a", "openbao", "1", "ReplicaSet")
	p.DeletionTimestamp = &now
	w.follow(now.Time, p, false)
	w.follow(now.Time, p, true)
	require.Empty(t, w.events())
	long := member("b", "openbao", "2", "ReplicaSet")
	w.follow(now.Time, long, false)
	long.Status.Phase, long.Status.Message = corev1.PodFailed, strings.Repeat("x", 2*maxDetail)
	w.follow(now.Time, long, false)
	w.follow(now.Time, long, true)
	require.Len(t, w.events(), 1, "once")
	require.Equal(t, "Failed", w.events()[0].Reason)
	require.Less(t, len(w.events()[0].Message), 2*maxDetail)
}

// TestUnsampled: what runs and was never sampled is there, without samples; what has ended is
// marked.
func TestUnsampled(t *testing.T) {
	t.Parallel()
	o := &Observer{
		pods: newPodWatcher(PodSource{}), series: map[string]*series{},
		machines: []result.ResourceSeries{{Component: "postgresql", Name: "db"}},
	}
	a, b := member("a", "openbao", "1", "ReplicaSet"), member("b", "openbao", "2", "ReplicaSet")
	all := []corev1.Pod{*a, *b}
	now := time.Now()
	o.pods.see(now, all)
	o.pods.exist("n", all)
	described, _ := o.pods.container("id-a")
	o.fold("a", described, now, numbers{})
	o.fold("a", described, now.Add(time.Second), numbers{1e9})
	o.fold("gone", result.ResourceSeries{Component: "openbao", Name: "gone/openbao-server"}, now, numbers{})
	o.fold("gone", result.ResourceSeries{Component: "openbao", Name: "gone/openbao-server"}, now.Add(time.Second),
		numbers{1e9})
	o.fold("node", machineOf("node-1"), now, numbers{})
	o.fold("node", machineOf("node-1"), now.Add(time.Second), numbers{2e9})
	got, _ := o.Since(time.Time{})
	require.Len(t, got, 4)
	by := map[string]result.ResourceSeries{}
	for _, s := range got {
		by[s.Name] = s
	}
	require.Len(t, by["a/openbao-server"].Samples, 1)
	require.True(t, by["a/openbao-server"].Ended.IsZero())
	require.Empty(t, by["b/openbao-server"].Samples)
	require.Equal(t, "openbao", by["b/openbao-server"].Component)
	require.Empty(t, by["db"].Samples)
	require.False(t, by["gone/openbao-server"].Ended.IsZero())
	nodes := o.nodes()
	require.Len(t, nodes, 1)
	require.InDelta(t, 2, nodes[0].Samples[0].CPUCores, 1e-9)
}

// TestActiveSamples: a sample knows whether its pod led when it was taken.
func TestActiveSamples(t *testing.T) {
	t.Parallel()
	o := &Observer{series: map[string]*series{}}
	start := time.Now()
	for second, role := range []string{"active", "active", "standby", "active"} {
		o.fold("k", result.ResourceSeries{Component: "openbao", Role: role}, start.Add(time.Duration(second)*time.Second),
			numbers{})
	}
	var got []bool
	for _, s := range o.series["k"].out.Samples {
		got = append(got, s.Active)
	}
	require.Equal(t, []bool{true, false, true}, got)
}

// TestEngineReader adds up what forwards ports and the daemons that are Steamer's, from when each
// was first seen.
func TestEngineReader(t *testing.T) {
	t.Parallel()
	stat := func(ticks string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("7 (x) S 1 7 7 0 -1 4194304 100 0 0 0 " + ticks + " 0 0 0 20 0 1 0 100 1000 25")}
	}
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	files := fstest.MapFS{
		"10/comm": text("docker-proxy\n"), "10/stat": stat("500"),
		"11/comm": text("dockerd\n"), "11/cmdline": text("dockerd\x00--exec-root=/run/steamer/engine"),
		"11/stat": stat("900"),
		"12/comm": text("dockerd\n"), "12/cmdline": text("/usr/bin/dockerd\x00-H\x00fd://"), "12/stat": stat("9000"),
		"13/comm": text("bash\n"), "13/stat": stat("1"), "14/comm": text("docker-proxy\n"), "cpuinfo": text(""),
	}
	r := engineReader{proc: files, last: map[string]float64{}}
	now := time.Now()
	require.Zero(t, r.read(now), "the first reading is where to count from")
	files["10/stat"], files["11/stat"], files["12/stat"] = stat("600"), stat("950"), stat("9999")
	require.InDelta(t, 1.5, r.read(now.Add(time.Second)), 1e-9)
	delete(files, "10/stat")
	require.InDelta(t, 1.5, r.read(now.Add(2*time.Second)), 1e-9, "a process that ended keeps what it used")
	files["14/stat"], files["11/stat"] = stat("700"), text("nonsense")
	require.InDelta(t, 1.5, r.read(now.Add(rescan)), 1e-9)
}

// TestOwn reads this very process for two seconds.
func TestOwn(t *testing.T) {
	t.Parallel()
	o := Start(t.Context(), &engine.Engine{}, PodSource{Client: fake.NewClientset(), Namespaces: []string{"n"}}, nil, nil,
		Own{})
	_, err := wait.Until(t.Context(), wait.For{What: "a sample", Deadline: 20 * time.Second}, func(context.Context) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.own.out.Samples) == 0 {
			return errors.New("none yet")
		}
		return nil
	})
	require.NoError(t, err)
	_, _, errs := o.Stop()
	require.Empty(t, errs)
	var top result.Topology
	o.Fill(&top)
	require.NotNil(t, top.Own)
	require.Equal(t, "steamer", top.Own.Component)
}

// TestNodeScript runs a node's script on made-up control groups, v1 and v2: it prints the node and
// its pods' containers, and no machine that is no node.
func TestNodeScript(t *testing.T) {
	t.Parallel()
	scope := "kubelet/pod1/cri-containerd-abc.scope"
	for name, tc := range map[string]struct {
		files map[string]string
		want  map[string]numbers
	}{
		"v1": {map[string]string{
			"cpuacct/cpuacct.usage": "9000", "memory/memory.usage_in_bytes": "700",
			"memory/memory.stat": "total_inactive_file 100", "cpu/cpu.stat": "nr_periods 0\nnr_throttled 0",
			"cpuacct/" + scope + "/cpuacct.usage": "1000", "memory/" + scope + "/memory.usage_in_bytes": "50",
			"memory/" + scope + "/memory.stat": "total_inactive_file 20",
			"cpu/" + scope + "/cpu.stat":       "nr_periods 8\nnr_throttled 2",
		}, map[string]numbers{"node": {9000, 600}, "abc": {1000, 30, 8, 2}}},
		"v2": {map[string]string{
			"cgroup.controllers": "cpu memory", "cpu.stat": "usage_usec 9\nnr_periods 0\nnr_throttled 0",
			"memory.current": "700", "memory.stat": "inactive_file 100",
			scope + "/cpu.stat": "usage_usec 1\nnr_periods 8\nnr_throttled 2", scope + "/memory.current": "50",
			scope + "/memory.stat": "inactive_file 20",
		}, map[string]numbers{"node": {9000, 600}, "abc": {1000, 30, 8, 2}}},
		"a machine": {map[string]string{
			"cpuacct/cgroup.sane_behavior": "0", "cpuacct/cpuacct.usage": "9000", "memory/memory.usage_in_bytes": "700",
			"memory/memory.stat": "", "cpu/cpu.stat": "",
			"cpuacct/" + scope + "/cpuacct.usage": "1000", "memory/" + scope + "/memory.usage_in_bytes": "50",
			"memory/" + scope + "/memory.stat": "", "cpu/" + scope + "/cpu.stat": "",
		}, map[string]numbers{"abc": {1000, 50}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for file, text := range tc.files {
				path := filepath.Join(root, file)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
				require.NoError(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			script := strings.Replace(nodeScript, "root=/sys/fs/cgroup", "root="+root, 1)
			require.NotEqual(t, nodeScript, script)
			cmd := exec.CommandContext(ctx, "sh", "-c", script)
			in, err := cmd.StdinPipe()
			require.NoError(t, err)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			got := map[string]numbers{}
			for lines := bufio.NewScanner(out); lines.Scan() && !strings.HasPrefix(lines.Text(), scriptPrefix); {
				id, n, ok := parse(lines.Text())
				require.True(t, ok, lines.Text())
				got[id] = n
			}
			require.NoError(t, in.Close())
			_, _ = io.Copy(io.Discard, out)
			require.Error(t, cmd.Wait(), "the script kills itself")
			require.Equal(t, tc.want, got)
		})
	}
}
