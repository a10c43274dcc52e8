package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
	"gitlab.com/steamer/steamer/scenarios/internal/outage"
)

// checksum is the pod template annotation by which a changed configuration makes new pods.
const checksum = "checksum/config"

func configChangeKeepsData() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/config-change-keeps-data",
		Title:    "A configuration change through helm upgrade replaces the pods and keeps every secret",
		Protects: "all secrets during the most common operation on the chart",
		Source:   "GitLab's OpenBao chart",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureInstaller},
		Kind:     scenario.Lifecycle,
		Budget:   10 * time.Minute,
		// Catches: a pod template without the configuration's checksum, an unseal key
		// that the upgrade regenerates, a second self-initialisation, lost storage.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			cluster.MustHealthy(ctx, t, env, "the deployment is healthy before the upgrade",
				scenario.Convergence{Deadline: env.Timeouts.Ready})
			before, err := snapshot(ctx, env)
			require.NoError(t, err)
			checkSecrets(ctx, t, env, "before")
			watch := outage.Fetches(ctx, env)
			defer func() { watch.Stop() }()

			// One more cache entry: it changes the configuration and nothing else.
			size := before.cacheSize + 1
			start := time.Now()
			require.NoError(t, env.Installer.Upgrade(ctx, map[string]any{"config": map[string]any{"cacheSize": size}}))
			var after state
			scenario.MustConverge(ctx, t, scenario.Convergence{
				What: "every pod is replaced", Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Upgrade,
			}, func(ctx context.Context) (err error) {
				if after, err = snapshot(ctx, env); err != nil {
					return err
				}
				return after.replaced(before)
			})
			cluster.MustHealthy(ctx, t, env, "the new pods are healthy", scenario.Convergence{Deadline: env.Timeouts.Ready})
			// The nodes' packet rules follow the endpoints a moment later.
			tenant := env.Tenants[0]
			scenario.MustConverge(ctx, t, scenario.Convergence{
				What: "a secret can be fetched through the new pods", Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Failover, Successes: 3,
			}, func(ctx context.Context) error { return env.Check(ctx, tenant, tenant.Secrets[0]) })
			t.Measure("upgrade_seconds", time.Since(start).Seconds())

			require.Equal(t, size, after.cacheSize, "cache_size of the configuration the pods mount")
			require.NotEqual(t, before.checksum, after.checksum, "the pod template's %s", checksum)
			checkSecrets(ctx, t, env, "after")
			outage.Judge(t, watch.Stop())
		},
	}
}

// checkSecrets fetches every secret of sampled tenants.
func checkSecrets(ctx context.Context, t scenario.T, env *scenario.Env, when string) {
	t.Helper()
	n := 0
	for _, tenant := range env.Sample(10) {
		for _, secret := range tenant.Secrets {
			if err := env.Check(ctx, tenant, secret); err != nil {
				t.Errorf("%s the change: %v", when, err)
			}
			n++
		}
	}
	t.Logf("%s the change: %d secrets checked", when, n)
}

// state is what the upgrade must change.
type state struct {
	pods      []string // UIDs
	checksum  string
	cacheSize int
}

func snapshot(ctx context.Context, env *scenario.Env) (state, error) {
	d, err := cluster.Deployment(ctx, env)
	if err != nil {
		return state{}, err
	}
	pods, err := cluster.Pods(ctx, env)
	if err != nil {
		return state{}, err
	}
	s := state{checksum: d.Spec.Template.Annotations[checksum]}
	for _, uid := range cluster.UIDs(pods) {
		s.pods = append(s.pods, string(uid))
	}
	name := env.Release + "-config"
	cm, err := env.Kube.CoreV1().ConfigMaps(env.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return state{}, fmt.Errorf("configuration %s/%s: %w", env.Namespace, name, err)
	}
	var config struct {
		CacheSize int `json:"cache_size"`
	}
	if err := json.Unmarshal([]byte(cm.Data["config.json"]), &config); err != nil {
		return state{}, fmt.Errorf("configuration %s/%s: config.json: %w", env.Namespace, name, err)
	}
	s.cacheSize = config.CacheSize
	return s, nil
}

// replaced returns what of the old state is still there.
func (s state) replaced(old state) error {
	for _, uid := range old.pods {
		if slices.Contains(s.pods, uid) {
			return fmt.Errorf("a pod from before the upgrade is still there; %s was %q and is %q", checksum, old.checksum, s.checksum)
		}
	}
	if len(s.pods) < cluster.Wanted {
		return fmt.Errorf("%d new pods, want %d", len(s.pods), cluster.Wanted)
	}
	return nil
}
