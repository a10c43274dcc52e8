package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// checksum is the pod template annotation by which a changed configuration makes new pods.
const checksum = "checksum/config"

func configChangeKeepsData() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/config-change-keeps-data",
		Subject:  scenario.SubjectChart,
		Title:    "A configuration change by helm upgrade replaces the pods and keeps every secret",
		Protects: "all secrets during the most common operation on the chart",
		Source:   "GitLab's OpenBao chart",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller,
			scenario.Change(scenario.ChangeCacheSize),
		},
		Core: true,
		// Catches: a pod template without the configuration's checksum, an unseal key
		// that the upgrade regenerates, a second self-initialisation, lost storage.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, err := snapshot(ctx, env)
			require.NoError(t, err)
			// One more cache entry: it changes the configuration and nothing else.
			size := before.cacheSize + 1
			through(ctx, t, env, judge.OutageConfig, upgrade(env, scenario.ChangeCacheSize, map[string]any{"size": size}))
			after, err := snapshot(ctx, env)
			require.NoError(t, err)
			require.Equal(t, size, after.cacheSize, "cache_size of the configuration the pods mount")
			require.NotEqual(t, before.checksum, after.checksum, "the pod template's %s", checksum)
		},
	}
}

// state is what a change of the configuration must change.
type state struct {
	checksum  string
	cacheSize int
}

func snapshot(ctx context.Context, env *scenario.Env) (state, error) {
	w, err := cluster.WorkloadOf(ctx, env)
	if err != nil {
		return state{}, err
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
	return state{checksum: w.Template.Annotations[checksum], cacheSize: config.CacheSize}, nil
}
