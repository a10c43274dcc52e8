package config

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

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

func rendered() scenario.Scenario {
	return looking(scenario.Scenario{
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
	})
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

func selfInitialised() scenario.Scenario {
	s := looking(scenario.Scenario{
		ID:       "config/self-initialised",
		Title:    "Self-initialisation made Rails' login, role and policy, and nothing else",
		Protects: "every call of GitLab: without its login all of them end in 401",
		Source:   "GitLab's OpenBao chart, config.initialize; gitlab#592186; openbao #2908",
		Budget:   time.Minute,
		// Catches: an initialisation that two pods made halves of, a role that is bound to nothing,
		// a login left over from set-up.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			var logins map[string]struct{ Type string }
			read(ctx, t, env, "sys/auth", &logins)
			require.Equal(t, "jwt", logins["gitlab_rails_jwt/"].Type)
			delete(logins, "gitlab_rails_jwt/")
			delete(logins, "token/") // every server has it
			require.Empty(t, logins, "there are other ways to log in")

			var role struct {
				Audiences []string          `json:"bound_audiences"`
				Subject   string            `json:"bound_subject"`
				Claims    map[string]string `json:"bound_claims"`
				Policies  []string          `json:"token_policies"`
			}
			read(ctx, t, env, "auth/gitlab_rails_jwt/role/app", &role)
			require.Contains(t, role.Audiences, env.Audience)
			require.Equal(t, "gitlab_secrets_manager", role.Subject)
			require.Equal(t, "privileged", role.Claims["secrets_manager_scope"])
			require.Equal(t, []string{"secrets_manager"}, role.Policies)

			var trust struct {
				Issuer string `json:"bound_issuer"`
				Status string `json:"status"`
			}
			read(ctx, t, env, "auth/gitlab_rails_jwt/config", &trust)
			require.Equal(t, env.Issuer.URL(), trust.Issuer)
		},
	})
	s.Features = nil
	return s
}

// read reads a path with Rails' privileges.
func read(ctx context.Context, t scenario.T, env *scenario.Env, path string, into any) {
	t.Helper()
	r, err := env.Rails(ctx, http.MethodGet, path, nil)
	require.NoError(t, err)
	require.True(t, r.OK(), "%s: status %d: %s", path, r.Status, r.Message())
	require.NoError(t, json.Unmarshal(r.Data, into), path)
}
