package config

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// configured is what a chart's config.json and the server's own account of its configuration have
// in common.
type configured struct {
	Cache    float64 `json:"cache_size"`
	Level    string  `json:"log_level"`
	Format   string  `json:"log_format"`
	Requests string  `json:"log_requests_level"`
}

func runningAsRendered() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/running-as-rendered",
		Title:    "Every pod has the configuration of the chart, and the active one says that it runs with it",
		Protects: operators,
		Source:   "OpenBao API: sys/config/state/sanitized; Kubernetes: a ConfigMap changes under running pods",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureExec},
		// Catches: a ConfigMap that changed without new pods, a file that is mounted where nobody
		// reads it, an argument or a variable that overrides it.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			maps, err := env.Kube.CoreV1().ConfigMaps(env.Namespace).List(ctx, metav1.ListOptions{})
			require.NoError(t, err)
			first := ""
			for _, p := range pods {
				text, err := file(ctx, env, p.Name)
				require.NoError(t, err)
				require.True(t, inMaps(maps.Items, text), "what pod %s reads is in no ConfigMap of the namespace", p.Name)
				if first == "" {
					first = text
				}
				require.Equal(t, len(first), len(text), "the pods read different files")
				require.True(t, first == text, "the pods read different files")
			}
			var want configured
			if json.Unmarshal([]byte(first), &want) != nil {
				t.Logf("the configuration is HCL: the server's own account of it is not compared")
				return
			}
			r, err := env.Rails(ctx, http.MethodGet, "sys/config/state/sanitized", nil)
			require.NoError(t, err)
			require.True(t, r.OK(), "sys/config/state/sanitized: status %d: %s", r.Status, r.Message())
			var got configured
			require.NoError(t, json.Unmarshal(r.Data, &got))
			require.Equal(t, want, got, "the server runs with another configuration than it was given")
		},
	}
}

// file is the configuration file that OpenBao in a pod was started with.
func file(ctx context.Context, env *scenario.Env, pod string) (string, error) {
	raw, err := env.Processes.Run(ctx, env.Namespace, pod, env.Container, "sh", "-c", `tr '\0' '\n' </proc/1/cmdline`)
	if err != nil {
		return "", err
	}
	for _, arg := range strings.Split(string(raw), "\n") {
		if _, path, ok := strings.Cut(arg, "-config="); ok {
			text, err := env.Processes.Run(ctx, env.Namespace, pod, env.Container, "sh", "-c",
				`if [ -d "$1" ]; then cat "$1"/*; else cat "$1"; fi`, "cat", path)
			return string(text), err
		}
	}
	return "", fmt.Errorf("OpenBao in pod %s was started without -config", pod)
}

func inMaps(maps []corev1.ConfigMap, text string) bool {
	for _, m := range maps {
		for _, value := range m.Data {
			if value == text {
				return true
			}
		}
	}
	return false
}
