package config

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// unknownField is how OpenBao's warning begins.
const unknownField = "unknown or unsupported field"

func noUnknownFields() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/no-unknown-fields",
		Subject:  scenario.SubjectChart,
		Title:    "OpenBao's configuration has no unknown fields",
		Protects: operators,
		Source:   "openbao/openbao, command/server.go: unknown or unsupported field found in configuration",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureExec},
		// Catches: a field of another version, a typing error that disables a limit.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			require.NotEmpty(t, pods)
			for _, p := range pods {
				said, err := opinion(ctx, env, p.Name)
				require.NoError(t, err, "pod %s", p.Name)
				for _, line := range strings.Split(said, "\n") {
					if strings.Contains(line, unknownField) {
						t.Errorf("pod %s: %s", p.Name, line)
					}
				}
			}
		},
	}
}

// reread starts a second OpenBao on the configuration given and ends it after two seconds.
const reread = `printf %s "$1" | timeout 2 bao server -config=/dev/stdin 2>&1; true`

// opinion is what OpenBao reports about a pod's configuration. It warns only when it reads a
// single file, which GitLab's charts do not use. So a second OpenBao in the pod reads that
// configuration, without the parts that would touch the first one's storage, key and ports. Charts
// with an HCL configuration pass a single file, so the pod's log has the warning.
func opinion(ctx context.Context, env *scenario.Env, pod string) (string, error) {
	text, err := file(ctx, env, pod)
	if err != nil {
		return "", err
	}
	if !json.Valid([]byte(text)) {
		return cluster.Opening(ctx, env, pod)
	}
	harmless, err := detached(text)
	if err != nil {
		return "", err
	}
	said, err := env.Processes.Run(ctx, env.Namespace, pod, env.Container, "sh", "-c", reread, "sh", harmless)
	if err == nil && !strings.Contains(string(said), "server configuration:") {
		err = fmt.Errorf("OpenBao did not report its configuration: %s", said)
	}
	return string(said), err
}

// detached returns a JSON configuration for a second, independent server. The fields that OpenBao
// checks stay as they are: top level, listeners and telemetry. OpenBao accepts any field of
// storage and seal.
func detached(text string) (string, error) {
	var config map[string]any
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return "", err
	}
	for _, part := range []string{"ha_storage", "seal", "service_registration", "initialize", "audit"} {
		delete(config, part)
	}
	config["storage"] = map[string]any{"inmem": map[string]any{}}
	listeners, _ := config["listener"].([]any)
	if len(listeners) == 0 {
		return "", fmt.Errorf("the configuration has no list of listeners")
	}
	for _, one := range listeners {
		kind, _ := one.(map[string]any)
		tcp, ok := kind["tcp"].(map[string]any)
		if !ok {
			return "", fmt.Errorf("a listener is not of type tcp: %v", one)
		}
		tcp["address"], tcp["cluster_address"], tcp["tls_disable"] = "127.0.0.1:0", "127.0.0.1:0", true
	}
	out, err := json.Marshal(config)
	return string(out), err
}
