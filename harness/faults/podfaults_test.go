package faults

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/wait"
)

// fakeRun is a nemesis of a fake cluster, and its history.
type fakeRun struct {
	*nemesis
	cluster *fakeCluster
	out     buffer
	end     func()
}

func newFakeRun(t *testing.T) *fakeRun {
	t.Helper()
	r := &fakeRun{cluster: newFakeCluster(t)}
	began := time.Now()
	record, err := history.NewRecorder(&r.out, history.Header{}, func() time.Duration { return time.Since(began) })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	on, err := newPods(ctx, r.cluster, record)
	require.NoError(t, err)
	r.nemesis = &nemesis{watcher: newWatcher(record, on, on.nodes), pods: on}
	var group sync.WaitGroup
	group.Go(func() { on.run(ctx) })
	group.Go(func() { r.watcher.run(ctx) })
	r.end = sync.OnceFunc(func() {
		cancel()
		group.Wait()
		require.NoError(t, record.Close())
	})
	t.Cleanup(r.end)
	require.NoError(t, r.settled(ctx))
	return r
}

// report judges the history.
func (r *fakeRun) report(t *testing.T) (*check.Report, string) {
	t.Helper()
	r.end()
	reader, err := history.NewReader("history", &r.out)
	require.NoError(t, err)
	report, err := check.History(reader)
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, check.Text(&text, report))
	return report, text.String()
}

// TestPodFaults: each fault of pods is done in order, ended, and confirmed; no pod crashed.
func TestPodFaults(t *testing.T) {
	t.Parallel()
	cases := map[string][]string{
		"term-active":        {"TERM openbao-2"},
		"kill-active":        {"KILL openbao-2"},
		"term-standby":       {"TERM openbao-1"},
		"kill-standby":       {"KILL openbao-1"},
		"freeze-active":      {"STOP openbao-2", "CONT openbao-2"},
		"freeze-late":        {"STOP openbao-2", "CONT openbao-2"},
		"pause-active":       {"STOP openbao-2", "CONT openbao-2"},
		"pause-standby":      {"STOP openbao-1", "CONT openbao-1"},
		"term-all":           {"TERM openbao-", "TERM openbao-"},
		"kill-all":           {"KILL openbao-", "KILL openbao-"},
		"pause-all":          {"STOP openbao-", "STOP openbao-", "CONT openbao-", "CONT openbao-"},
		"step-down":          nil,
		"seal-active":        {"delete openbao-2 30s"},
		"pod-delete-active":  {"delete openbao-2 1s"},
		"pod-delete-standby": {"delete openbao-1 1s"},
		"drain":              {"evict openbao-2", "evict openbao-2", "evict openbao-1"},
		"config-change":      {"change"},
		"net-db-drop":        {"cut openbao-2 false []", "heal"},
		"net-db-reset":       {"cut openbao-2 true []", "heal"},
		"net-pods-drop":      {"cut openbao-2 false [10.0.0.1]", "heal"},
		"pg-crash":           {"crash"},
		"pg-terminate":       {"10.0.0.2", "string_agg", "pid IN (7,8)"},
		"pg-read-only":       {"read_only = on", "reload", "DELETE", "RESET", "reload"},
	}
	for name := range onPods {
		require.Contains(t, cases, name)
		require.Contains(t, Kinds(), name)
	}
	for fault, want := range cases {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			r := newFakeRun(t)
			r.cluster.refused = 1
			require.NoError(t, r.do(t.Context(), 0, Step{Fault: fault, Length: document.Duration(time.Millisecond)}))
			require.Len(t, r.cluster.calls, len(want), r.cluster.calls)
			for i, call := range want {
				require.Contains(t, r.cluster.calls[i], call)
			}
			report, text := r.report(t)
			require.Equal(t, map[string]int{history.Confirmed: 1}, report.Faults, text)
			require.Empty(t, report.Rules, text)
		})
	}
}

// TestPodFaultsAreEnded: what a fault began is ended where the run was interrupted meanwhile, and
// where a part of it failed.
func TestPodFaultsAreEnded(t *testing.T) {
	t.Parallel()
	for fault, last := range map[string]string{
		"pause-active": "CONT openbao-2", "freeze-active": "CONT openbao-2", "net-db-drop": "heal", "net-pods-drop": "heal",
		"pg-read-only": "SELECT pg_reload_conf()",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			r := newFakeRun(t)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				defer cancel()
				for r.cluster.begun() < 1 {
					_ = wait.Pause(t.Context(), time.Millisecond)
				}
			}()
			require.ErrorIs(t, r.do(ctx, 0, Step{Fault: fault, Length: document.Duration(time.Hour)}), context.Canceled)
			require.Equal(t, last, r.cluster.calls[len(r.cluster.calls)-1])
			require.False(t, r.cluster.readOnly)
		})
	}
	r := newFakeRun(t)
	r.cluster.fails["STOP openbao-2"] = errors.New("no such process")
	require.ErrorContains(t, r.do(t.Context(), 0, Step{Fault: "freeze-active"}), "no such process")
	require.Equal(t, "CONT openbao-2", r.cluster.calls[1])
}

// TestPodCrash: a container that ends with a panic is a pod that ended by itself; its log is in
// the report.
func TestPodCrash(t *testing.T) {
	t.Parallel()
	r := newFakeRun(t)
	r.cluster.log = "starting\npanic: assignment to entry in nil map\n\ngoroutine 1 [running]:\n"
	require.NoError(t, r.do(t.Context(), 0, Step{Fault: "kill-active"}))
	report, text := r.report(t)
	require.Equal(t, map[string]int{"S13": 1}, report.Rules, text)
	require.Contains(t, text, "assignment to entry in nil map")
	require.Contains(t, text, "it is openbao-2")
}

// TestPodIsReplaced: a container that was ended often is not waited for until Kubernetes starts
// it.
func TestPodIsReplaced(t *testing.T) {
	t.Parallel()
	r := newFakeRun(t)
	for i := range mostRestarts + 1 {
		require.NoError(t, r.do(t.Context(), i, Step{Fault: "kill-standby"}))
	}
	require.Equal(t, []string{
		"KILL openbao-1", "KILL openbao-1", "KILL openbao-1", "delete openbao-1 30s",
	}, r.cluster.calls)
	report, text := r.report(t)
	require.Equal(t, map[string]int{history.Confirmed: mostRestarts + 1}, report.Faults, text)
	require.Empty(t, report.Rules, text)
}

// TestServerOfPodsThatDoesNotStart: it is broken where every pod crashes again and again, and not
// where one is only slow.
func TestServerOfPodsThatDoesNotStart(t *testing.T) {
	t.Parallel()
	r := newFakeRun(t)
	late := errors.New("not ready in time")
	loop := func(pod *fakePod) {
		r.cluster.mu.Lock()
		defer r.cluster.mu.Unlock()
		r.cluster.log = "panic: half a namespace\n"
		status := &pod.Status.ContainerStatuses[0]
		status.RestartCount = 3
		status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	}
	const probeAndGrace = (5 + 5*12 + 30) * time.Second
	require.Equal(t, firstBackoff+probeAndGrace, r.patience())
	for i, pod := range r.cluster.list {
		loop(pod)
		at := r.nodes[slices.IndexFunc(r.nodes, func(n *node) bool { return n.at.Load().uid == pod.UID })].at.Load()
		require.NoError(t, r.until(t.Context(), "the crash is seen", func(context.Context) error {
			if !r.pods.crashed(at) || r.pods.restartsOf(at) != 3 {
				return errors.New("not yet")
			}
			return nil
		}))
		if err := r.rescue(t.Context(), late); i == 0 {
			require.Equal(t, late, err)
		} else {
			require.ErrorIs(t, err, errBroken)
		}
	}
	require.Equal(t, 8*firstBackoff+probeAndGrace, r.patience())
	report, text := r.report(t)
	require.Equal(t, map[string]int{"S11": 2, "S13": 2}, report.Rules, text)
	require.Contains(t, text, "half a namespace")
}

// TestFormerLeader: a pod that lost the lock, and goes on to say that it leads, has no new term.
func TestFormerLeader(t *testing.T) {
	t.Parallel()
	r := newFakeRun(t)
	c := r.cluster
	require.Equal(t, 1, r.leader())
	set := func(change func(former, next *fakePod)) {
		c.mu.Lock()
		defer c.mu.Unlock()
		change(c.list[1], c.list[0])
	}
	set(func(_, next *fakePod) { c.terms, c.leads = c.terms+1, next.UID })
	require.Never(t, func() bool { return r.held() == "term 2" }, 5*watchEvery, watchEvery,
		"the next one does not lead yet")
	set(func(_, next *fakePod) { next.since = time.Now() })
	require.NoError(t, r.takenOver(t.Context(), "term 1"))
	require.Equal(t, 0, r.leader(), "also while the former one says that it leads")
	set(func(former, _ *fakePod) { former.since = time.Time{} })
	require.NoError(t, r.settled(t.Context()))
}
