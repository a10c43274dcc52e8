package config

import (
	"context"
	"encoding/json"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func oneLock() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/one-lock",
		Subject:  scenario.SubjectChart,
		Title:    "One lock in the database is valid, and the active pod holds it",
		Protects: "data from two active nodes",
		Source:   "openbao/openbao, physical/postgresql: openbao_ha_locks",
		Features: []scenario.Feature{scenario.FeatureDatabase, scenario.FeatureCluster},
		// Catches: high availability that is off, two clusters on one database, labels that do not
		// follow the lock.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := settled(ctx, t, env)
			valid, err := count(ctx, env,
				"SELECT count(*) FROM "+env.Kind.String()+"_ha_locks WHERE ha_key = 'core/lock' AND valid_until > now()")
			require.NoError(t, err)
			require.Equal(t, 1, valid, "valid locks")
			var leader struct {
				Address string `json:"leader_address"`
			}
			g, err := api(env, *active)
			require.NoError(t, err)
			g.Path = "/v1/sys/leader"
			_, raw, err := cluster.Ask(ctx, env, active.Name, g)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(raw, &leader))
			require.Contains(t, leader.Address, active.Status.PodIP,
				"the leader's address is not that of the pod labelled active")
		},
	}
}
