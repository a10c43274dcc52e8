package hygiene

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// shortest is the least length in bytes of a value that is searched for. Shorter ones occur by
// chance.
const shortest = 8

func credentialsStayInSecrets() scenario.Scenario {
	return scenario.Scenario{
		ID:       "hygiene/credentials-stay-in-secrets",
		Subject:  scenario.SubjectChart,
		Title:    "No password or key from a Secret appears in logs, events, ConfigMaps, Helm releases, arguments or files",
		Protects: "the unseal key and the database's password from everyone who may read anything but Secrets",
		Source:   "GitLab's OpenBao chart: unseal key and password are mounted from Secrets; Helm records what it renders",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureExec},
		// Catches: a key that the chart renders, a connection URL in a ConfigMap or an argument, a
		// password in an error's text.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			canaries, generated, err := inSecrets(ctx, env)
			require.NoError(t, err)
			require.NoError(t, control(canaries))
			scanner := newScanner(canaries)
			var found []finding
			for _, namespace := range namespaces(env) {
				more, _, err := scanner.namespace(ctx, env.Kube, namespace)
				require.NoError(t, err)
				found = append(found, more...)
				more, err = arguments(ctx, t, env, scanner, namespace)
				require.NoError(t, err)
				found = append(found, more...)
			}
			found = append(found, everything(t, env, scanner)...)
			sources, _ := scanner.scanned()
			t.Logf("searched %d sources for the values of %d Secret keys", sources, len(canaries))
			for _, f := range found {
				if generated[f.Label] && strings.HasPrefix(f.Source, "Helm release ") {
					t.Logf("ignored: %v: the chart generated this Secret, which Helm records; create it yourself to avoid that", f)
					continue
				}
				t.Errorf("%v", f)
			}
		},
	}
}

// namespaces are all those of the environment.
func namespaces(env *scenario.Env) []string {
	return slices.Compact(append([]string{env.Namespace}, env.Others...))
}

// managedBy is the label by which Helm's own objects are known.
const managedBy = "app.kubernetes.io/managed-by"

// inSecrets returns the values in the environment's Secrets, except Helm's records and
// certificates, which are public. Helm records what it renders, and so every Secret that a chart
// generates: generated has the labels of those.
func inSecrets(ctx context.Context, env *scenario.Env) (all []canary, generated map[string]bool, err error) {
	generated = map[string]bool{}
	for _, namespace := range namespaces(env) {
		secrets, err := env.Kube.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, nil, fmt.Errorf("secrets of %s: %w", namespace, err)
		}
		for _, s := range secrets.Items {
			if s.Type != corev1.SecretTypeOpaque && s.Type != corev1.SecretTypeTLS {
				continue
			}
			for key, value := range s.Data {
				if len(value) < shortest || strings.HasSuffix(key, ".crt") {
					continue
				}
				label := fmt.Sprintf("key %s of Secret %s/%s", key, namespace, s.Name)
				generated[label] = s.Labels[managedBy] == "Helm"
				all = append(all, canary{Label: label, Secret: string(value)})
			}
		}
	}
	return all, generated, nil
}

// arguments searches the arguments of the processes in a namespace's running containers. Those
// that have no shell are named; OpenBao's own have to be searched.
func arguments(ctx context.Context, t scenario.T, env *scenario.Env, scanner *scanner, namespace string) (
	found []finding, err error,
) {
	t.Helper()
	pods, err := env.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("pods of %s: %w", namespace, err)
	}
	for _, p := range pods.Items {
		for _, c := range p.Status.ContainerStatuses {
			if c.State.Running == nil {
				continue
			}
			// A process may end during the search.
			raw, err := env.Processes.Run(ctx, namespace, p.Name, c.Name, "sh", "-c",
				"cat /proc/[0-9]*/cmdline 2>/dev/null; true")
			if err != nil {
				t.Logf("the arguments in %s/%s/%s were not searched: %v", namespace, p.Name, c.Name, err)
				if c.Name == env.Container {
					t.Void("the arguments in OpenBao's pod %s cannot be searched: %v", p.Name, err)
				}
				continue
			}
			more, err := scanner.scan(fmt.Sprintf("arguments in %s/%s/%s", namespace, p.Name, c.Name), bytes.NewReader(raw))
			if err != nil {
				return found, err
			}
			found = append(found, more...)
		}
	}
	return found, nil
}
