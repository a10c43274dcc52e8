package config

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func databaseTLS() scenario.Scenario {
	return scenario.Scenario{
		ID:         "config/database-tls",
		Subject:    scenario.SubjectChart,
		Title:      "Every connection from OpenBao to the external PostgreSQL is encrypted",
		Protects:   "stored data and the database password from anyone who listens between cluster and database",
		Source:     "GitLab reference architectures, Cloud Native Hybrid: PostgreSQL outside; PostgreSQL: pg_stat_ssl",
		Topologies: []string{"cloud-native-hybrid"},
		Features:   []scenario.Feature{scenario.FeatureDatabase, scenario.FeatureCluster},
		// Catches: sslmode=disable or prefer, a connection URL that loses its parameters.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			require.NoError(t, env.Check(ctx, env.Tenants[0], env.Tenants[0].Secrets[0]))
			plain, err := count(ctx, env, "SELECT count(*) "+remote+" AND NOT s.ssl")
			require.NoError(t, err)
			all, err := count(ctx, env, "SELECT count(*) "+remote)
			require.NoError(t, err)
			require.NotZero(t, all, "there is no connection over the network")
			require.Zero(t, plain, "%d of %d connections are not encrypted", plain, all)
			version, err := env.Database.Query(ctx, "SELECT string_agg(DISTINCT s.version, ' ') "+remote)
			require.NoError(t, err)
			require.NotContains(t, version, "TLSv1.1")
			t.Logf("%d connections with %s", all, version)
		},
	}
}
