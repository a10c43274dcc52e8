package loadtest

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// envUpdate set to 1 rewrites golden files instead of comparing with them.
const envUpdate = "UPDATE_GOLDEN"

// Restricted fails the test if Kubernetes' strictest pod security would not let the pod in.
func Restricted(t testing.TB, pod *corev1.PodSpec) {
	t.Helper()
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	for _, verdict := range judge.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()},
		&metav1.ObjectMeta{}, pod) {
		require.True(t, verdict.Allowed, "%s: %s", verdict.ForbiddenReason, verdict.ForbiddenDetail)
	}
}

// Golden fails the test if the object's YAML is not the file's.
func Golden(t testing.TB, file string, object any) {
	t.Helper()
	got, err := yaml.Marshal(object)
	require.NoError(t, err)
	if os.Getenv(envUpdate) == "1" {
		require.NoError(t, os.WriteFile(file, got, 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s=1 go test rewrites it", envUpdate)
}
