package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// burst is how many fetches at once try to make OpenBao open more connections than it may.
const burst = 40

func databaseConnections() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/database-connections",
		Subject:  scenario.SubjectChart,
		Title:    "Under parallel fetches, OpenBao opens no more connections than its pools allow",
		Protects: "GitLab's own database, whose max_connections OpenBao shares",
		Source:   "openbao/openbao, physical/postgresql: max_parallel; GitLab's administration guide: two pools in upgrades",
		Features: []scenario.Feature{scenario.FeatureDatabase, scenario.FeatureCluster},
		Kind:     scenario.Functional,
		Budget:   time.Minute,
		// Catches: a pool without a limit, a limit that the chart does not pass on.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			limit, err := pools(ctx, env)
			require.NoError(t, err)
			most, err := flood(ctx, env)
			require.NoError(t, err)
			t.Measure("connections", float64(most))
			t.Logf("saw at most %d connections, %d are allowed", most, limit)
			require.LessOrEqual(t, most, limit)
		},
	}
}

// flood makes burst fetches at once and returns the largest number of connections seen meanwhile.
func flood(ctx context.Context, env *scenario.Env) (most int, err error) {
	ctx, cancel := context.WithTimeout(ctx, env.Timeouts.Fetch)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for k := range burst {
		group.Go(func() error {
			tenant := env.Tenants[k%len(env.Tenants)]
			return env.Check(ctx, tenant, tenant.Secrets[0])
		})
	}
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	for {
		now, failed := count(ctx, env, "SELECT count(*) "+remote)
		if failed != nil && ctx.Err() == nil {
			err = failed
		}
		most = max(most, now)
		select {
		case failed := <-done:
			return most, errors.Join(err, failed)
		default:
		}
	}
}

// pools is how many connections the pods' pools allow together, from the configuration that the
// chart rendered. Each pod may hold one more, for its lock.
func pools(ctx context.Context, env *scenario.Env) (int, error) {
	maps, err := env.Kube.CoreV1().ConfigMaps(env.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	for _, m := range maps.Items {
		for _, text := range m.Data {
			var config struct {
				Storage struct {
					PostgreSQL struct {
						Pool any `json:"max_parallel"`
					} `json:"postgresql"`
				} `json:"storage"`
			}
			if json.Unmarshal([]byte(text), &config) != nil || config.Storage.PostgreSQL.Pool == nil {
				continue
			}
			each, err := strconv.Atoi(fmt.Sprint(config.Storage.PostgreSQL.Pool))
			return (each + 1) * cluster.Wanted, err
		}
	}
	return 0, fmt.Errorf("no ConfigMap in %s has a JSON configuration with storage.postgresql.max_parallel",
		env.Namespace)
}
