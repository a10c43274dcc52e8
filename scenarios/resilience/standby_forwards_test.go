package resilience

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestNamesLeader reads answers of sys/leader as OpenBao 2.4 gives them.
func TestNamesLeader(t *testing.T) {
	t.Parallel()
	active := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "openbao-0"},
		Status:     corev1.PodStatus{PodIP: "10.244.0.7", PodIPs: []corev1.PodIP{{IP: "10.244.0.7"}}},
	}
	for text, reason := range map[string]string{
		`{"ha_enabled":true,"is_self":false,"leader_address":"http://10.244.0.7:8200","leader_cluster_address":"https://10.244.0.7:8201"}`: "",
		`{"is_self":false,"leader_address":"http://openbao-0.openbao:8200","leader_cluster_address":"https://openbao-0.openbao:8201"}`:     "",
		`{"is_self":true,"leader_address":"http://10.244.0.7:8200","leader_cluster_address":"https://10.244.0.7:8201"}`:                    "calls itself the leader",
		`{"is_self":false,"leader_address":"http://10.244.0.8:8200","leader_cluster_address":"https://10.244.0.7:8201"}`:                   "api_addr of the leader: http://10.244.0.8:8200",
		`{"is_self":false,"leader_address":"http://10.244.0.7:8200","leader_cluster_address":"https://127.0.0.1:8201"}`:                    "cluster_addr of the leader: https://127.0.0.1:8201",
		`{"ha_enabled":true,"is_self":false,"leader_address":"","leader_cluster_address":""}`:                                              "is not a URL",
		`<html>`: "sys/leader of the standby: status 200",
	} {
		err := namesLeader(200, []byte(text), active)
		if reason == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, reason, text)
	}
}
