package config

import (
	"context"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func resourcesSet() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/resources-set",
		Subject:  scenario.SubjectChart,
		Title:    "Every OpenBao pod has CPU and memory requests and a memory limit",
		Protects: "OpenBao from being evicted first, and its node from OpenBao",
		Source:   "GitLab's administration guide of the secrets manager, sizing; Kubernetes: quality of service classes",
		Features: []scenario.Feature{scenario.FeatureCluster},
		// Catches: a values file that empties the resources.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			require.NotEmpty(t, pods)
			for _, p := range pods {
				c, err := cluster.Server(env, p)
				require.NoError(t, err)
				require.False(t, c.Resources.Requests.Cpu().IsZero(), "pod %s has no request for CPU", p.Name)
				require.False(t, c.Resources.Requests.Memory().IsZero(), "pod %s has no request for memory", p.Name)
				require.False(t, c.Resources.Limits.Memory().IsZero(), "pod %s has no limit for memory", p.Name)
				require.NotEqual(t, corev1.PodQOSBestEffort, p.Status.QOSClass)
			}
		},
	}
}
