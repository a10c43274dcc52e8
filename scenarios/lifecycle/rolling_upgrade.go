package lifecycle

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
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
		// Catches: a strategy that the templates ignore, an outage over the budget, a surge pod
		// that two nodes cannot hold, a readiness probe that lets the active pod go before a
		// standby is unsealed.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) { oneByOne(ctx, t, env) },
	}
}

// oneByOne replaces the pods by the rolling strategy, and checks that one of them was always
// there: it had been ready, and was not asked to end. Each of two pods can be replaced while it is
// active.
func oneByOne(ctx context.Context, t scenario.T, env *scenario.Env) *cluster.Rollout {
	rollout := through(ctx, t, env, judge.OutageConfig, roll(env))
	wanted := cluster.Wanted(env)
	if rollout.Least < wanted-1 {
		t.Errorf("at a time %d of %d pods were left, want %d: the pods were not replaced one by one", rollout.Least,
			wanted, wanted-1)
	}
	if n := len(rollout.Leaders); n < 1 || n > wanted {
		t.Errorf("the leader changed %d times, want 1 to %d", n, wanted)
	}
	return rollout
}

// roll returns a change that replaces the pods by the rolling strategy and changes nothing else.
func roll(env *scenario.Env) func(ctx context.Context) error {
	return upgrade(env, scenario.ChangeRolling, map[string]any{"stamp": time.Now().UTC().Format(time.RFC3339Nano)})
}
