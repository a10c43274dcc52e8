package config

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// A burst has this many requests more than the active pod's pool has connections, up to the most.
const (
	beyondPool = 8
	mostBurst  = 64
)

// stall holds OpenBao's table, so that every request that needs it keeps its connection, and then
// counts the connections by the address they come from.
const stall = "BEGIN; LOCK TABLE %s_kv_store IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5); " +
	"SELECT host(a.client_addr) || '|' || count(*) " + remote + " GROUP BY a.client_addr; COMMIT"

func databaseConnections() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/database-connections",
		Subject:  scenario.SubjectChart,
		Title:    "While the database stalls, each pod opens as many connections as its pool allows, and no more",
		Protects: "GitLab's own database, whose max_connections OpenBao shares",
		Source:   "openbao/openbao, physical/postgresql: max_parallel; GitLab's administration guide: two pools in upgrades",
		Features: []scenario.Feature{scenario.FeatureDatabase, scenario.FeatureCluster},
		Kind:     scenario.Functional,
		Budget:   time.Minute,
		Alone:    "its requests have to arrive while the database stalls; beside others fewer would, and it would prove less",
		// Catches: a pool without a limit, a limit that the chart does not pass on, or doubles.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			pool, err := poolSize(ctx, env)
			require.NoError(t, err)
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			requests, most := min(pool+beyondPool, mostBurst), 0
			for try := 0; try < tries && most < min(pool, requests); try++ {
				opened, err := fill(ctx, env, requests)
				require.NoError(t, err)
				most = max(most, within(t, env, pods, pool, opened))
			}
			t.Measure("connections", float64(most))
			if most < min(pool, requests) {
				t.Logf("%d requests opened %d connections at most, too few to reach the limit of %d", requests, most, pool)
			}
		},
	}
}

// tries is how often requests try to fill the pool of the active pod: on a slow machine they may
// come too late.
const tries = 3

// within expects that no pod has more connections than its pool, and returns the most.
func within(t scenario.T, env *scenario.Env, pods []corev1.Pod, pool int, opened map[string]int) (most int) {
	t.Helper()
	for address, n := range opened {
		limit, whose := cluster.Wanted(env)*(pool+1), "all pods, at "+address // behind one address
		for _, p := range pods {
			if p.Status.PodIP == address {
				limit, whose = pool+1, "pod "+p.Name // one more for its lock
			}
		}
		t.Logf("%s: %d connections, %d are allowed", whose, n, limit)
		require.LessOrEqual(t, n, limit, "connections of %s", whose)
		most = max(most, n)
	}
	return most
}

// fill stalls the database while so many requests at a time need it, and returns the connections
// by address. The requests are logins with roles that do not exist: no cache has them, and they
// take no lock inside OpenBao, as a login that works does.
func fill(ctx context.Context, env *scenario.Env, requests int) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*env.Timeouts.Fetch)
	defer cancel()
	as, err := env.Issuer.RailsAuth(env.Audience)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	counted := make(chan struct{})
	for range requests {
		group.Go(func() error {
			for {
				r, err := env.Client.Do(ctx, openbao.Request{
					Method: http.MethodPost, Path: as.Path, Body: map[string]string{"role": rand.Text(), "jwt": "none"},
				})
				if err == nil && (r.Status < http.StatusBadRequest || r.Status >= http.StatusInternalServerError) {
					err = fmt.Errorf("a login with a role that does not exist: status %d: %s", r.Status, r.Message())
				}
				if err != nil {
					return err
				}
				select {
				case <-counted:
					return nil
				default:
				}
			}
		})
	}
	text, err := env.Database.Query(ctx, fmt.Sprintf(stall, env.Kind))
	close(counted)
	if err = errors.Join(err, group.Wait()); err != nil {
		return nil, err
	}
	return byAddress(text)
}

// byAddress reads the counts among what psql prints.
func byAddress(text string) (map[string]int, error) {
	counts := map[string]int{}
	for _, line := range strings.Split(text, "\n") {
		address, n, found := strings.Cut(strings.TrimSpace(line), "|")
		if !found {
			continue
		}
		var err error
		if counts[address], err = strconv.Atoi(n); err != nil {
			return nil, fmt.Errorf("connections of %s: %w", address, err)
		}
	}
	if len(counts) == 0 {
		return nil, fmt.Errorf("OpenBao has no connection to the database: %q", text)
	}
	return counts, nil
}

// poolSize is how many connections each pod's pool allows, from the configuration that the chart
// rendered.
func poolSize(ctx context.Context, env *scenario.Env) (int, error) {
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
			return strconv.Atoi(fmt.Sprint(config.Storage.PostgreSQL.Pool))
		}
	}
	return 0, fmt.Errorf("no ConfigMap in %s has a JSON configuration with storage.postgresql.max_parallel",
		env.Namespace)
}
