package pods

import (
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podOf is a pod of the Job with an index, whose container is in a state.
func podOf(index string, phase corev1.PodPhase, state corev1.ContainerState) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "k6-" + index,
			Annotations: map[string]string{batchv1.JobCompletionIndexAnnotation: index},
		},
		Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "sidecar"},
			{Name: container, State: state},
		}},
	}
}

func ended(code int32, reason string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}
}

func TestRunning(t *testing.T) {
	t.Parallel()
	up := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	pulling := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
		Reason:  "ErrImagePull",
		Message: "no such image",
	}}
	unscheduled := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "k6-1",
			Annotations: map[string]string{batchv1.JobCompletionIndexAnnotation: "1"},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionFalse}, {
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
				Message: "0/1 nodes are available",
			},
		}},
	}
	created := podOf("1", corev1.PodPending, corev1.ContainerState{})
	created.Status.ContainerStatuses = nil
	first := podOf("0", corev1.PodRunning, up)
	for name, tc := range map[string]struct {
		pods  []corev1.Pod
		fatal bool
		want  string
	}{
		"both": {[]corev1.Pod{podOf("1", corev1.PodRunning, up), first}, false, ""},
		"with strangers": {[]corev1.Pod{
			first, podOf("2", corev1.PodRunning, up), podOf("-1", corev1.PodRunning, up),
			podOf("x", corev1.PodRunning, up), podOf("1", corev1.PodRunning, up),
		}, false, ""},
		"none yet":      {nil, false, "0 of 2 run: no pod yet"},
		"no status yet": {[]corev1.Pod{first, created}, false, "1 of 2 run: pod k6-1 is Pending"},
		"no image": {
			[]corev1.Pod{first, podOf("1", corev1.PodPending, pulling)},
			false,
			"1 of 2 run: pod k6-1 waits: ErrImagePull no such image",
		},
		"no node": {[]corev1.Pod{first, unscheduled}, false, "pod k6-1 is not scheduled: 0/1 nodes are available"},
		"a failed one": {
			[]corev1.Pod{first, podOf("1", corev1.PodFailed, ended(107, "Error"))},
			true,
			"pod k6-1 ended before the load began: exit code 107: the script threw an exception",
		},
		"one that is done": {
			[]corev1.Pod{first, podOf("1", corev1.PodSucceeded, ended(0, "Completed"))},
			true,
			"pod k6-1 ended before the load began: without an error",
		},
	} {
		names, fatal, err := running(tc.pods, 2)
		require.Equal(t, tc.fatal, fatal, name)
		if tc.want == "" {
			require.NoError(t, err, name)
			require.Equal(t, []string{"k6-0", "k6-1"}, names, name)
			continue
		}
		require.ErrorContains(t, err, tc.want, name)
		require.Nil(t, names, name)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	evicted := corev1.Pod{Status: corev1.PodStatus{
		Phase: corev1.PodFailed, Reason: "Evicted",
		Message: "The node was low on resource: memory.",
	}}
	for want, p := range map[string]corev1.Pod{
		"": podOf("0", corev1.PodSucceeded, ended(0, "Completed")),
		"killed for its memory: raise its limit, or lower the rate or the number of VUs": podOf("0", corev1.PodFailed,
			ended(137, "OOMKilled")),
		"exit code 105: the run was aborted by a signal": podOf("0", corev1.PodRunning,
			ended(105, "Error")),
		"exit code 1: unknown to this Steamer": podOf("0", corev1.PodFailed,
			ended(1, "Error")),
		"evicted: The node was low on resource: memory.": evicted,
	} {
		require.Equal(t, want, failure(&p))
	}
	alive := podOf("0", corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	require.Empty(t, failure(&alive))
}
