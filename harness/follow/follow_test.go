package follow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"gitlab.com/steamer/steamer/harness/follow"
	"gitlab.com/steamer/steamer/harness/wait"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ns = "openbao"

// pod has one container, which was restarted some times.
func pod(name, uid string, restarts int32, running bool) *corev1.Pod {
	id := func(n int32) string { return fmt.Sprintf("containerd://%s-%d", uid, n) }
	status := corev1.ContainerStatus{Name: "server", RestartCount: restarts, ContainerID: id(restarts)}
	if running {
		status.State.Running = &corev1.ContainerStateRunning{}
	} else {
		status.State.Terminated = &corev1.ContainerStateTerminated{ContainerID: id(restarts)}
	}
	if restarts > 0 {
		status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ContainerID: id(restarts - 1)}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns, UID: types.UID(uid)},
		Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{status}},
	}
}

// collect returns what was kept so far.
func collect(t *testing.T, p *follow.Pods) (logs map[string]string, gaps []string) {
	t.Helper()
	logs = map[string]string{}
	gaps, err := p.Each(func(source string, log io.Reader) error {
		data, err := io.ReadAll(log)
		logs[source] = string(data)
		return err
	})
	require.NoError(t, err)
	return logs, gaps
}

// eventually waits until a number of logs was read.
func eventually(t *testing.T, p *follow.Pods, n int) {
	t.Helper()
	_, err := wait.Until(t.Context(), wait.For{
		What: "the logs are read", Interval: time.Millisecond, Deadline: 20 * time.Second,
	}, func(context.Context) error {
		logs, _ := collect(t, p)
		read := 0
		for _, text := range logs {
			if text != "" {
				read++
			}
		}
		if read < n {
			return fmt.Errorf("%d of %d logs: %v", read, n, logs)
		}
		return nil
	})
	require.NoError(t, err)
}

// TestKeepsLogsOfPodsThatAreGone deletes pods and restarts a container: all that they wrote stays.
func TestKeepsLogsOfPodsThatAreGone(t *testing.T) {
	t.Parallel()
	signaller := pod("steamer-signal-x", "9", 0, false)
	signaller.GenerateName = "steamer-signal-"
	kube := fake.NewClientset(pod("old", "1", 0, false), signaller)
	p := follow.Start(t.Context(), kube, ns)
	defer p.Stop()
	eventually(t, p, 1)
	pods := kube.CoreV1().Pods(ns)
	_, err := pods.Create(t.Context(), pod("same", "2", 0, false), metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, p, 2)
	_, err = pods.Update(t.Context(), pod("same", "2", 2, false), metav1.UpdateOptions{})
	require.NoError(t, err)
	eventually(t, p, 4)
	require.NoError(t, pods.Delete(t.Context(), "old", metav1.DeleteOptions{}))
	require.NoError(t, pods.Delete(t.Context(), "same", metav1.DeleteOptions{}))
	_, err = pods.Create(t.Context(), pod("same", "3", 0, false), metav1.CreateOptions{}) // as a StatefulSet does
	require.NoError(t, err)
	eventually(t, p, 4)
	p.Stop()
	logs, gaps := collect(t, p)
	require.Empty(t, gaps)
	require.Len(t, logs, 4, "%v", logs)
	require.Contains(t, logs, "log of openbao/old/server (restart 0)")
	require.Contains(t, logs, "log of openbao/same/server (restart 1)")
	require.Contains(t, logs, "log of openbao/same/server (restart 2)")
}

// TestForgets: a log is kept until it was whole from one call to the next, and is not read again.
func TestForgets(t *testing.T) {
	t.Parallel()
	kube := fake.NewClientset(pod("ended", "1", 1, false), pod("runs", "2", 0, true))
	p := follow.Start(t.Context(), kube, ns)
	defer p.Stop()
	eventually(t, p, 3)
	_, err := wait.Until(t.Context(), wait.For{
		What: "the ended logs are forgotten", Interval: time.Millisecond, Deadline: 20 * time.Second,
	}, func(context.Context) error {
		p.Forget()
		if logs, _ := collect(t, p); len(logs) != 1 {
			return fmt.Errorf("kept: %v", logs)
		}
		return nil
	})
	require.NoError(t, err)
	again := pod("ended", "1", 1, false) // whose status still names both containers
	again.Labels = map[string]string{"changed": "yes"}
	_, err = kube.CoreV1().Pods(ns).Update(t.Context(), again, metav1.UpdateOptions{})
	require.NoError(t, err)
	_, err = kube.CoreV1().Pods(ns).Create(t.Context(), pod("new", "3", 0, false), metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, p, 2) // events come in order: the changed pod's has come
	logs, gaps := collect(t, p)
	require.Empty(t, gaps)
	require.Len(t, logs, 2)
	require.Contains(t, logs, "log of openbao/runs/server (restart 0)")
	require.Contains(t, logs, "log of openbao/new/server (restart 0)")
}

// TestGaps: what cannot be read is reported, and never taken for an empty log.
func TestGaps(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		failing func(ktesting.Action) bool
		err     error
		gap     string
	}{
		"a log": {
			func(a ktesting.Action) bool { return a.GetSubresource() == "log" }, errors.New("no route to the kubelet"),
			"log of openbao/a/server (restart 0): not read after 0 bytes",
		},
		"the pods": {
			func(a ktesting.Action) bool { return a.GetVerb() == "list" },
			apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no")),
			"the pods of openbao cannot be watched",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kube := fake.NewClientset(pod("a", "1", 0, false))
			kube.PrependReactor("*", "*", func(action ktesting.Action) (bool, runtime.Object, error) {
				return tc.failing(action), nil, tc.err
			})
			p := follow.Start(t.Context(), kube, ns)
			defer p.Stop()
			_, err := wait.Until(t.Context(), wait.For{
				What: "the gap is known", Interval: time.Millisecond, Deadline: 20 * time.Second,
			}, func(context.Context) error {
				_, gaps := collect(t, p)
				if !strings.Contains(strings.Join(gaps, "\n"), tc.gap) {
					return fmt.Errorf("gaps: %q", gaps)
				}
				return nil
			})
			require.NoError(t, err)
		})
	}
}

// TestFollowsWhileItRuns: a stream that ends while its container runs is opened again, until the
// container ends.
func TestFollowsWhileItRuns(t *testing.T) {
	t.Parallel()
	kube := fake.NewClientset(pod("a", "1", 0, true))
	kube.PrependReactor("*", "*", func(action ktesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "log" {
			return false, nil, nil
		}
		options := action.(ktesting.GenericAction).GetValue().(*corev1.PodLogOptions)
		return true, &runtime.Unknown{Raw: fmt.Appendf(nil, "follow %t, again %t;", options.Follow,
				options.SinceTime != nil)},
			nil
	})
	p := follow.Start(t.Context(), kube, ns)
	defer p.Stop()
	_, err := wait.Until(t.Context(), wait.For{
		What: "the stream is opened again", Interval: time.Millisecond, Deadline: 20 * time.Second,
	}, func(context.Context) error {
		logs, _ := collect(t, p)
		if text := logs["log of openbao/a/server (restart 0)"]; !strings.HasPrefix(text,
			"follow true, again false;follow true, again true;") {
			return fmt.Errorf("read %q", text)
		}
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, kube.CoreV1().Pods(ns).Delete(t.Context(), "a", metav1.DeleteOptions{}))
	p.Stop()
	_, gaps := collect(t, p)
	require.Empty(t, gaps)
}
