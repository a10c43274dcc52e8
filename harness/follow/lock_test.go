package follow

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLogsAreWrittenWhilePodsChange: a log that asks for room while the state of its pod comes in
// must not wait for the one who waits for it.
func TestLogsAreWrittenWhilePodsChange(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "pod"}}
	status := corev1.ContainerStatus{Name: "server", ContainerID: "one"}
	p := &Pods{logs: map[string]*log{}}
	l := &log{take: p.take, pod: pod.UID, running: true}
	p.logs["pod server one"], p.order = l, []*log{l}

	var users sync.WaitGroup
	for _, use := range []func(){
		func() { _, _ = l.Write([]byte("line\n")) },
		func() { p.gone(pod) },
		func() { p.begin(t.Context(), pod, status, status.ContainerID, false) },
		func() { _, _, _ = l.content() },
	} {
		users.Go(func() {
			for range 2000 {
				use()
			}
		})
	}
	ended := make(chan struct{})
	go func() { users.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		require.Fail(t, "they wait for each other")
	}
	require.Len(t, p.order, 1)
}
