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

// configured has the fields that are both in a chart's config.json and in the server's sanitised
// state.
type configured struct {
	Cache    float64 `json:"cache_size"`
	Level    string  `json:"log_level"`
	Format   string  `json:"log_format"`
	Requests string  `json:"log_requests_level"`
}

func runningAsRendered() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/running-as-rendered",
		Subject:  scenario.SubjectChart,
		Title:    "Every pod runs with the configuration that the chart rendered",
		Protects: operators,
		Source:   "OpenBao API: sys/config/state/sanitized; Kubernetes: a ConfigMap changes under running pods",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureExec},
		// Catches: a ConfigMap that changed without new pods, a file mounted in the wrong place,
		// an argument or a variable that overrides it.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			maps, err := env.Kube.CoreV1().ConfigMaps(env.Namespace).List(ctx, metav1.ListOptions{})
			require.NoError(t, err)
			first := ""
			for _, p := range pods {
				text, err := file(ctx, env, p.Name)
				require.NoError(t, err)
				require.True(t, inMaps(maps.Items, text), "the configuration of pod %s is not in any ConfigMap of the namespace",
					p.Name)
				if first == "" {
					first = text
				}
				require.Equal(t, len(first), len(text), "the pods have different configurations")
				require.True(t, first == text, "the pods have different configurations")
			}
			var want configured
			if json.Unmarshal([]byte(first), &want) != nil {
				t.Logf("the configuration is HCL, so it is not compared with the server's state")
				return
			}
			r, err := env.Rails(ctx, http.MethodGet, "sys/config/state/sanitized", nil)
			require.NoError(t, err)
			require.True(t, r.OK(), "sys/config/state/sanitized: status %d: %s", r.Status, r.Message())
			var got configured
			require.NoError(t, json.Unmarshal(r.Data, &got))
			require.Equal(t, want, got, "the server runs with a different configuration")
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
