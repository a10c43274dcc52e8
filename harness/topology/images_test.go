package topology

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRunningImages(t *testing.T) {
	t.Parallel()
	pod := func(name string, labels map[string]string, statuses ...corev1.ContainerStatus) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "steamer-cn", Labels: labels},
			Status:     corev1.PodStatus{ContainerStatuses: statuses},
		}
	}
	env, _ := environment(t)
	ours, err := metav1.ParseToLabelSelector(env.Spec.Dialect.Selector)
	require.NoError(t, err)
	labels := ours.MatchLabels
	server := func(id string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: "openbao-server", Image: "openbao:2.4", ImageID: id}
	}
	env, _ = environment(t, pod("a", labels, server("sha256:1")), pod("b", labels, server("sha256:1")),
		pod("c", labels, server("sha256:2")),
		pod("starting", labels, server("")), pod("other", map[string]string{"app": "x"}, server("sha256:3")))
	got, err := env.RunningImages(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"running/openbao-server": "openbao:2.4 (sha256:1), openbao:2.4 (sha256:2)"}, got)
}
