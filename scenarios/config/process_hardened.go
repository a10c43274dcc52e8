package config

import (
	"context"
	"strings"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// processHardened checks the running process, not the pod's specification.
func processHardened() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/process-hardened",
		Subject:  scenario.SubjectChart,
		Title:    "OpenBao runs as non-root, without capabilities, and cannot write to its image",
		Protects: "the node from anyone who takes over an OpenBao pod",
		Source:   "Kubernetes Pod Security Standards, restricted; /proc/1/status of Linux",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureExec},
		// Catches: a security context that is missing, overridden, or on another container.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			require.NotEmpty(t, pods)
			for _, p := range pods {
				raw, err := env.Processes.Run(ctx, env.Namespace, p.Name, env.Container, "cat", "/proc/1/status")
				require.NoError(t, err)
				status := fields(string(raw))
				require.NotContains(t, strings.Fields(status["Uid"]), "0", "pod %s runs as root", p.Name)
				require.Equal(t, "0000000000000000", status["CapEff"], "pod %s has capabilities", p.Name)
				require.Equal(t, "0000000000000000", status["CapBnd"], "pod %s can gain capabilities", p.Name)
				require.Equal(t, "1", status["NoNewPrivs"], "pod %s can gain privileges", p.Name)
				require.Equal(t, "2", status["Seccomp"], "pod %s may make any system call", p.Name)
				raw, err = env.Processes.Run(ctx, env.Namespace, p.Name, env.Container, "cat", "/proc/1/mounts")
				require.NoError(t, err)
				options := root(string(raw))
				require.True(t, strings.HasPrefix(options, "ro,") || options == "ro",
					"pod %s can write to its image: / is mounted %s", p.Name, options)
			}
		},
	}
}

// fields are the lines of /proc/PID/status.
func fields(status string) map[string]string {
	out := map[string]string{}
	for _, line := range strings.Split(status, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out[name] = strings.TrimSpace(value)
		}
	}
	return out
}

// root are the options with which / is mounted.
func root(mounts string) string {
	for _, line := range strings.Split(mounts, "\n") {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "/" {
			return f[3]
		}
	}
	return "nowhere"
}
