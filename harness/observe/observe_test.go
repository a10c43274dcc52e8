package observe

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/result"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]*numbers{
		"abc 1 2 3 4": {1, 2, 3, 4}, "abc 1e9 2 0 0": {1e9, 2, 0, 0},
		"": nil, "abc": nil, "abc 1 2 3": nil, "abc 1 2 3 4 5": nil, "abc -1 2 3 4": nil, "abc x 2 3 4": nil,
		"abc NaN 2 3 4": nil, "abc 1 Inf 3 4": nil,
	} {
		id, got, ok := parse(line)
		require.Equal(t, want != nil, ok, line)
		if want != nil {
			require.Equal(t, "abc", id)
			require.Equal(t, *want, got)
		}
	}
}

// FuzzParse: what parses is finite and not negative, so that no rate computed from it can be
// anything else.
func FuzzParse(f *testing.F) {
	f.Add("abc 1 2 3 4")
	f.Add("abc NaN Inf -1 4")
	f.Fuzz(func(t *testing.T, line string) {
		id, n, ok := parse(line)
		if !ok {
			return
		}
		require.NotEmpty(t, id)
		for _, value := range n {
			require.True(t, value >= 0 && value-value == 0, "%q: %v", line, value)
		}
	})
}

// TestFold turns counters into rates over the time between two lines.
func TestFold(t *testing.T) {
	t.Parallel()
	o := &Observer{series: map[string]*series{}}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	described := result.ResourceSeries{Component: "openbao", Name: "a/openbao-server", Role: "standby"}
	fold := func(after float64, n numbers) {
		o.fold("k", described, start.Add(time.Duration(after*float64(time.Second))), n)
	}
	fold(0, numbers{10e9, 1 << 20, 100, 10})
	fold(2, numbers{11e9, 3 << 20, 120, 15})
	described.Role = "active"
	fold(2, numbers{50e9, 3 << 20, 120, 15})  // twice at the same time: no rate
	fold(3, numbers{1e9, 1 << 20, 5, 1})      // the counters began again
	fold(4, numbers{3e9, 1 << 20, 15, 3})     // two cores, a fifth of the periods throttled
	fold(5, numbers{3e9, 1 << 20, 15, 3})     // idle: no period, nothing throttled
	fold(6, numbers{3.5e9, 1 << 20, 16, 100}) // no more than every period can be throttled
	s := o.series["k"].out
	require.Equal(t, "active", s.Role)
	require.Len(t, s.Samples, 5)
	for i, want := range []result.ResourceSample{
		{CPUCores: 0.5, MemoryMiB: 3, Throttled: 0.25},
		{CPUCores: 0, MemoryMiB: 1},
		{CPUCores: 2, MemoryMiB: 1, Throttled: 0.2},
		{MemoryMiB: 1},
		{CPUCores: 0.5, MemoryMiB: 1, Throttled: 1},
	} {
		got := s.Samples[i]
		require.InDelta(t, want.CPUCores, got.CPUCores, 1e-9, i)
		require.InDelta(t, want.Throttled, got.Throttled, 1e-9, i)
		require.InDelta(t, want.MemoryMiB, got.MemoryMiB, 1e-9, i)
	}
}

func pod(name, active string, restarts int32) corev1.Pod {
	labels := map[string]string{"app.kubernetes.io/name": "openbao"}
	if active != "" {
		labels["openbao-active"] = active
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "n", Labels: labels},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "openbao-server", ContainerID: "containerd://id-" + name, RestartCount: restarts,
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Reason:   "OOMKilled",
				ExitCode: 137,
			}},
		}}},
	}
}

// TestEvents follows made-up pods through a change of leadership and a restart.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := newPodWatcher(PodSource{})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w.see(now, []corev1.Pod{pod("a", "true", 3), pod("b", "false", 0), pod("db", "", 0)})
	require.Empty(t, w.events(), "restarts from before are not of this run")
	for id, role := range map[string]string{"id-a": "active", "id-b": "standby", "id-db": ""} {
		described, ok := w.container(id)
		require.True(t, ok, id)
		require.Equal(t, role, described.Role)
	}
	_, ok := w.container("id-moon")
	require.False(t, ok)

	w.see(now.Add(time.Second), []corev1.Pod{pod("a", "false", 4), pod("b", "true", 0)})
	w.see(now.Add(2*time.Second), []corev1.Pod{pod("a", "false", 4), pod("b", "true", 0)})
	events := w.events()
	require.Len(t, events, 2)
	require.Equal(t, result.Event{
		At: now.Add(time.Second), Kind: "restart", Detail: "n/a/openbao-server restarted (OOMKilled, exit code 137)",
		Component: "openbao", Name: "a/openbao-server", Reason: "OOMKilled", ExitCode: 137,
	}, events[0])
	require.Equal(t, result.Event{At: now.Add(time.Second), Kind: "leadership", Detail: "b leads after a"}, events[1])
}

// TestTwoLeaders: a pod that lost the lock kept its label for a while. That is two events, however
// often it is seen.
func TestTwoLeaders(t *testing.T) {
	t.Parallel()
	w := newPodWatcher(PodSource{})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for second, labels := range [][2]string{
		{"true", "false"},
		{"true", "true"},
		{"true", "true"},
		{"true", "true"},
		{"false", "false"},
		{"false", "true"},
		{"false", "true"},
	} {
		w.see(now.Add(time.Duration(second)*time.Second), []corev1.Pod{pod("b", labels[1], 0), pod("a", labels[0], 0)})
		w.see(now.Add(time.Duration(second)*time.Second), []corev1.Pod{pod("db", "", 0)})
	}
	require.Equal(t, []result.Event{
		{At: now.Add(time.Second), Kind: "leadership", Detail: "a and b are labelled as active at once"},
		{At: now.Add(5 * time.Second), Kind: "leadership", Detail: "b alone leads again"},
	}, w.events())
}

// TestSummary folds answers of a kubelet: one at the same time as the last adds nothing, and
// foreign pods are not ours.
func TestSummary(t *testing.T) {
	t.Parallel()
	o := &Observer{series: map[string]*series{}, pods: newPodWatcher(PodSource{})}
	p := pod("a", "true", 0)
	p.Spec.NodeName = "node"
	o.pods.see(time.Now(), []corev1.Pod{p})
	require.Equal(t, []string{"node"}, o.pods.nodeNames())
	answer := func(second int, cpu string) string {
		container := fmt.Sprintf(
			`[{"name":"openbao-server","cpu":{"time":"2026-01-01T00:00:%02dZ","usageCoreNanoSeconds":%s},"memory":{"workingSetBytes":2097152}}]`, second, cpu)
		return `{"pods":[{"podRef":{"name":"a","namespace":"n"},"containers":` + container +
			`},{"podRef":{"name":"x","namespace":"m"},"containers":` + container + `}]}`
	}
	for _, data := range []string{answer(0, "1000000000"), answer(0, "1000000000"), answer(10, "6000000000")} {
		require.NoError(t, o.foldSummary([]byte(data)))
	}
	require.Error(t, o.foldSummary([]byte("Forbidden")))
	require.Len(t, o.series, 1)
	samples := o.series["n/a/openbao-server"].out.Samples
	require.Len(t, samples, 1)
	require.InDelta(t, 0.5, samples[0].CPUCores, 1e-9)
	require.InDelta(t, 2, samples[0].MemoryMiB, 1e-9)
}

// TestStop: an observer follows the pods and ends without a goroutine left.
func TestStop(t *testing.T) {
	t.Parallel()
	p := pod("a", "true", 0)
	o := Start(t.Context(), &engine.Engine{}, PodSource{Client: fake.NewClientset(&p), Namespaces: []string{"n"}}, nil,
		nil)
	require.Eventually(t, func() bool { _, ok := o.pods.container("id-a"); return ok }, 10*time.Second,
		10*time.Millisecond)
	all, events, errs := o.Stop()
	require.Empty(t, all)
	require.Empty(t, events)
	require.Empty(t, errs)
}

// TestSince gives what reaches into a span, and keeps the rest.
func TestSince(t *testing.T) {
	t.Parallel()
	o := &Observer{pods: newPodWatcher(PodSource{}), series: map[string]*series{}}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	for second := range 10 {
		o.fold("long", result.ResourceSeries{Component: "openbao", Name: "a"}, at(second), numbers{float64(second) * 1e9})
		if second < 4 {
			o.fold("gone", result.ResourceSeries{Component: "openbao", Name: "b"}, at(second), numbers{float64(second) * 1e9})
		}
		o.pods.timeline = append(o.pods.timeline, result.Event{At: at(second)})
	}
	all, events := o.Since(at(6))
	require.Len(t, all, 1)
	require.Len(t, events, 4)
	used, covered := all[0].CPUSeconds(result.Window{From: at(6), To: at(9)})
	require.InDelta(t, 3, used, 1e-9)
	require.InDelta(t, 3, covered, 1e-9)
	all, events = o.Since(time.Time{})
	require.Len(t, all, 2)
	require.Len(t, events, 10)
}

// TestOutlast waits for a sample of every container that is still there.
func TestOutlast(t *testing.T) {
	t.Parallel()
	o := &Observer{pods: newPodWatcher(PodSource{}), series: map[string]*series{}}
	openbao := result.ResourceSeries{Component: "openbao"}
	start := time.Now()
	require.False(t, o.beyond("openbao", start), "nothing is observed yet")
	o.fold("gone", openbao, start.Add(-2*patience), numbers{})
	o.fold("gone", openbao, start.Add(-patience-time.Second), numbers{})
	o.fold("a", openbao, start.Add(-time.Second), numbers{})
	require.False(t, o.beyond("openbao", start), "a base is no sample")
	o.fold("a", openbao, start.Add(time.Second), numbers{})
	require.True(t, o.beyond("openbao", start))
	o.fold("b", openbao, start, numbers{})
	require.False(t, o.beyond("openbao", start), "the second has none")
	require.False(t, o.beyond("postgresql", start))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	o.Outlast(ended, "openbao") // returns
	o.fold("b", openbao, time.Now().Add(time.Hour), numbers{})
	o.fold("a", openbao, time.Now().Add(time.Hour), numbers{})
	o.Outlast(t.Context(), "openbao")
}

// TestSelfScript runs the script on this host's own cgroup and has it end with its standard input,
// as in a container whose client is gone. Where the host's root has no such counters, nothing it
// prints may parse.
func TestSelfScript(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", selfScript)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	o := &Observer{series: map[string]*series{}}
	counters := exec.CommandContext(ctx, "sh", "-c",
		"cd /sys/fs/cgroup && { cat cpu.stat memory.current || cat cpuacct/cpuacct.usage; }").Run() == nil
	lines := make([]byte, 256)
	n, err := io.ReadAtLeast(out, lines, 5)
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(lines[:n]), "\n")
	id, values, ok := parse(first)
	require.Equal(t, counters, ok, first)
	if ok {
		require.Equal(t, "self", id)
		require.Positive(t, values[0], "CPU time of the host")
		o.fold(id, result.ResourceSeries{}, time.Now(), values)
	}
	require.NoError(t, in.Close())
	_, _ = io.Copy(io.Discard, out)
	err = cmd.Wait() // the script kills itself: this returns, and says so
	require.ErrorContains(t, err, "terminated")
	require.NoError(t, ctx.Err(), "the script outlived its standard input")
}

// TestHost: the machine's CPU seconds become cores, and the first reading is only where to count
// from.
func TestHost(t *testing.T) {
	t.Parallel()
	var s series
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.host(start, proc.HostUse{Busy: 1000, Interrupts: 10}, 500)
	require.Empty(t, s.out.Samples)
	s.host(start.Add(2*time.Second), proc.HostUse{Busy: 1003, Interrupts: 11}, 400)
	s.host(start.Add(3*time.Second), proc.HostUse{Busy: 1003.5, Interrupts: 11}, 0)
	require.Equal(t, []result.ResourceSample{
		{At: start.Add(2 * time.Second), CPUCores: 1.5, Interrupts: 0.5, AvailableMiB: 400}, {
			At:       start.Add(3 * time.Second),
			CPUCores: 0.5,
		},
	}, s.out.Samples)
	ctx, cancel := context.WithCancel(t.Context())
	o := &Observer{}
	Host{}.attach(ctx, o)
	cancel()
	o.group.Wait()
	require.Empty(t, o.errs)
	require.Positive(t, o.host.cpu, "this machine has been used")
}
