package resilience

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// renewalSource says what OpenBao does when the database goes.
const renewalSource = "openbao/openbao, physical/postgresql: a lock whose renewal fails is lost; the next leader waits out its TTL of 15 s, and the one that lost it 10 s"

func databaseRestarted() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/database-restarted",
		Title:    "When PostgreSQL restarts fetches come back without a restart of OpenBao, and nothing is lost",
		Protects: "pipelines during maintenance of the database",
		Source:   renewalSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureDatabase},
		Kind:     scenario.Fault,
		Cost:     scenario.Slow,
		Budget:   6 * time.Minute,
		// Catches: a pool that keeps broken connections, a process that ends with its database, a
		// database that forgets.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			disturb(ctx, t, env, env.Timeouts.Takeover, func(*stage) {
				t.Logf("restarting PostgreSQL")
				started := time.Now()
				require.NoError(t, env.Database.Restart(ctx))
				t.Measure("database_seconds", time.Since(started).Seconds())
			})
		},
	}
}

func databaseStalled() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/database-stalled",
		Title:    "When PostgreSQL stops answering and goes on again, so do fetches, without a restart of OpenBao",
		Protects: "pipelines when the database's disk or node hangs for a moment",
		Source:   renewalSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureDatabase, scenario.FeatureSignals},
		Kind:     scenario.Fault,
		Cost:     scenario.Slow,
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
