package resilience

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func standbyLost() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/standby-lost",
		Title:    "When the standby goes no fetch fails, and another one takes its place",
		Protects: "pipelines from what should not concern them",
		Source:   "GitLab's OpenBao chart: the active Service leads to the active pod only",
		Features: []scenario.Feature{scenario.FeatureCluster},
		Kind:     scenario.Fault,
		Budget:   6 * time.Minute,
		// Catches: a Service that leads to standbys as well, a leader that gives way when its
		// standby goes.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, after := disturb(ctx, t, env, 0, func(s *stage) {
				t.Logf("deleting the standby %s", s.standby.Name)
				require.NoError(t, env.Kube.CoreV1().Pods(env.Namespace).Delete(ctx, s.standby.Name, metav1.DeleteOptions{}))
				replacement(ctx, t, env, s)
			})
			require.Equal(t, before.UID, after.UID, "leadership moved although only the standby went")
		},
	}
}
