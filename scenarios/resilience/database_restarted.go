package resilience

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// renewalSource is how OpenBao behaves without its database.
const renewalSource = "openbao/openbao, physical/postgresql: a lock whose renewal fails is lost; " +
	"the next leader waits for its TTL of 15 s, and the previous one for 10 s"

func databaseRestarted() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/database-restarted",
		Subject:  scenario.SubjectChart,
		Title:    "Fetches recover after a restart of PostgreSQL without restarting OpenBao",
		Protects: "pipelines during maintenance of the database",
		Source:   renewalSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureDatabase},
		// Catches: a pool that keeps broken connections, a process that exits with its database, a
		// database that loses data.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			disturb(ctx, t, env, judge.OutageDatabaseRestart, func(*stage) {
				t.Logf("restarting PostgreSQL")
				started := time.Now()
				require.NoError(t, env.Database.Restart(ctx))
				t.Measure("database_seconds", time.Since(started).Seconds())
			})
		},
	}
}
