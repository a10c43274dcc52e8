package resilience

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func databaseStalled() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/database-stalled",
		Title:    "When PostgreSQL stops answering and goes on again, so do fetches, without a restart of OpenBao",
		Protects: "pipelines when the database's disk or node hangs for a moment",
		Source:   renewalSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureDatabase, scenario.FeatureSignals},
		Kind:     scenario.Fault,
		Budget:   6 * time.Minute,
		// Catches: a liveness probe that kills OpenBao for its database's sake, requests that hang
		// for ever.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			disturb(ctx, t, env, env.Timeouts.Takeover, func(s *stage) {
				defer func() {
					if err := env.Database.Resume(context.WithoutCancel(ctx)); err != nil {
						t.Errorf("PostgreSQL could not be set going again: %v", err)
					}
				}()
				t.Logf("stopping PostgreSQL where it is")
				require.NoError(t, env.Database.Pause(ctx))
				interrupted(ctx, t, env, s)
			})
		},
	}
}
