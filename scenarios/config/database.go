package config

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// remote selects the connections over the network: the administrator's own come through a socket.
const remote = "FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.datname = current_database() AND a.client_addr IS NOT NULL"

func databaseTLS() scenario.Scenario {
	s := looking(scenario.Scenario{
		ID:       "config/database-tls",
		Title:    "Every connection from OpenBao to the PostgreSQL outside the cluster is encrypted",
		Protects: "what OpenBao stores, and its password, from whoever listens between the cluster and the database",
		Source:   "GitLab reference architectures, Cloud Native Hybrid: PostgreSQL outside; PostgreSQL: pg_stat_ssl",
		Features: []scenario.Feature{scenario.FeatureDatabase, scenario.FeatureCluster},
		// Catches: sslmode=disable or prefer, a connection URL that loses its parameters.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			require.NoError(t, env.Check(ctx, env.Tenants[0], env.Tenants[0].Secrets[0]))
			plain, err := count(ctx, env, "SELECT count(*) "+remote+" AND NOT s.ssl")
			require.NoError(t, err)
			all, err := count(ctx, env, "SELECT count(*) "+remote)
			require.NoError(t, err)
			require.NotZero(t, all, "nobody is connected over the network")
			require.Zero(t, plain, "%d of %d connections are not encrypted", plain, all)
			version, err := env.Database.Query(ctx, "SELECT string_agg(DISTINCT s.version, ' ') "+remote)
			require.NoError(t, err)
			require.NotContains(t, version, "TLSv1.1")
			t.Logf("%d connections by %s", all, version)
		},
	})
	s.Topologies = []string{"cloud-native-hybrid"}
	return s
}

// burst is how many fetches at once try to make OpenBao open more connections than it may.
const burst = 40

func databaseConnections() scenario.Scenario {
	s := looking(scenario.Scenario{
		ID:       "config/database-connections",
		Title:    "However many fetches come at once, OpenBao holds no more connections than its pools allow",
		Protects: "GitLab's own database, whose max_connections OpenBao shares",
		Source:   "openbao/openbao, physical/postgresql: max_parallel; GitLab's administration guide: 2 pools while pods are replaced",
		Features: []scenario.Feature{scenario.FeatureDatabase, scenario.FeatureCluster},
		// Catches: a pool without limit, a limit that the chart does not pass on.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			limit, err := pools(ctx, env)
			require.NoError(t, err)
			most, err := flood(ctx, env)
			require.NoError(t, err)
			t.Measure("connections", float64(most))
			t.Logf("at most %d connections were seen, %d are allowed", most, limit)
			require.LessOrEqual(t, most, limit)
		},
	})
	s.Parallel = false
	return s
}

// flood fetches burst times at once and returns how many connections were seen meanwhile.
func flood(ctx context.Context, env *scenario.Env) (most int, err error) {
	ctx, cancel := context.WithTimeout(ctx, env.Timeouts.Fetch)
	defer cancel()
	var fetchers sync.WaitGroup
	errs := make(chan error, burst)
	for k := range burst {
		fetchers.Go(func() {
			tenant := env.Tenants[k%len(env.Tenants)]
			errs <- env.Check(ctx, tenant, tenant.Secrets[0])
		})
	}
	done := make(chan struct{})
	go func() { fetchers.Wait(); close(done) }()
	for {
		now, failed := count(ctx, env, "SELECT count(*) "+remote)
		if failed != nil {
			err = failed
		}
		most = max(most, now)
		select {
		case <-done:
			close(errs)
			for failed := range errs {
				if failed != nil {
					err = failed
				}
			}
			return most, err
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
	return 0, fmt.Errorf("no ConfigMap in %s holds a configuration in JSON with storage.postgresql.max_parallel",
		env.Namespace)
}

func count(ctx context.Context, env *scenario.Env, query string) (int, error) {
	text, err := env.Database.Query(ctx, query)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(text))
}

func oneLock() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/one-lock",
		Title:    "One lock in the database is valid, and the pod that is labelled active holds it",
		Protects: "data from two leaders",
		Source:   "openbao/openbao, physical/postgresql: openbao_ha_locks",
		Features: []scenario.Feature{scenario.FeatureDatabase, scenario.FeatureCluster},
		// Catches: high availability that is off, two clusters on one database, labels that do not
		// follow the lock.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := settled(ctx, t, env)
			valid, err := count(ctx, env, "SELECT count(*) FROM openbao_ha_locks WHERE ha_key = 'core/lock' AND valid_until > now()")
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
				"the leader's address is another pod's than the one labelled active")
		},
	})
}
