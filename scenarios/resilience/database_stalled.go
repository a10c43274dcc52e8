package resilience

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func databaseStalled() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/database-stalled",
		Subject:  scenario.SubjectChart,
		Title:    "Fetches recover after PostgreSQL stalls, without restarting OpenBao",
		Protects: "pipelines when the database's disk or node hangs briefly",
		Source:   renewalSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureDatabase, scenario.FeatureSignals},
		// Catches: a liveness probe that restarts OpenBao because of its database, requests that
		// hang forever.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			disturb(ctx, t, env, judge.OutageDatabaseStall, func(s *stage) {
				defer func() {
					if err := env.Database.Resume(context.WithoutCancel(ctx)); err != nil {
						t.Errorf("resuming PostgreSQL: %v", err)
					}
				}()
				t.Logf("pausing PostgreSQL")
				require.NoError(t, env.Database.Pause(ctx))
				interrupted(ctx, t, env, s)
			})
		},
	}
}
