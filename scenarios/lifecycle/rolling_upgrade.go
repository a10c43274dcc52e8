package lifecycle

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func rollingUpgrade() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/rolling-upgrade",
		Subject:  scenario.SubjectChart,
		Title:    "An upgrade with the rolling strategy replaces pods one by one and keeps every secret",
		Protects: "pipelines during an upgrade",
		Source:   "GitLab issue 595721 (upgrades without downtime)",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller,
			scenario.Change(scenario.ChangeRolling),
		},
		Rights: []scenario.Right{{Verbs: "patch", Resource: "pods"}},
		// Catches: a strategy that the templates ignore, a surge pod that two nodes cannot hold,
		// a readiness probe that lets the active pod go before a standby is unsealed.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) { through(ctx, t, env, roll(env)) },
	}
}

// roll returns a change that replaces the pods by the rolling strategy and changes nothing else.
func roll(env *scenario.Env) func(ctx context.Context) error {
	return upgrade(env, scenario.ChangeRolling, map[string]any{"stamp": time.Now().UTC().Format(time.RFC3339Nano)})
}
