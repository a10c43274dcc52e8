package resilience

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func oneActive() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/one-active",
		Subject:  scenario.SubjectChart,
		Title:    "Exactly one pod is active, and the active Service leads only to that pod",
		Protects: "every fetch: requests to a standby or a sealed pod fail or are slow, and two active nodes corrupt data",
		Source:   "GitLab's OpenBao chart; vault-helm #318, vault #18117",
		Features: []scenario.Feature{scenario.FeatureCluster},
		Kind:     scenario.Functional,
		Core:     true,
		Budget:   time.Minute,
		// Catches: a wrong Service selector, missing rights to label pods, a second
		// active label, a standby that is not ready, a sealed pod that gets traffic.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := cluster.MustHealthy(ctx, t, env, "one pod is active, the other a ready standby", env.Timeouts.Labels)
			t.Logf("active: %s", active.Name)
		},
	}
}
