//go:build kind

package charts_test

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	unique "github.com/gruntwork-io/terratest/modules/random"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestInstallSubchart installs a parent chart in one go, whose database is a sub-chart beside
// OpenBao, and upgrades it: no hook waits for what is not there yet, and every Secret stays.
func TestInstallSubchart(t *testing.T) {
	i := newInstall(t)
	i.helm(t, "gitlab-stub", map[string]string{"issuer": i.issuer.URL()}, map[string]string{"jwks": i.jwks})

	values := under("openbao", i.openBao(), i.images["openbao"])
	for key, value := range under("postgresql", i.images["postgresql"]) {
		values[key] = value
	}
	values["openbao."+connection+"host"] = release + "-postgresql"
	values["openbao."+connection+"password.secret"] = release + "-postgresql"
	values["openbao.bootstrap.hook"] = "false"
	values["openbao.role.ownPodOnly"] = "true"
	values["openbao.enabled"], values["postgresql.enabled"] = "true", "true"
	options := i.options("", values)
	parent := umbrella(t, "openbao", "postgresql")

	helm.InstallContext(t, t.Context(), options, parent, release)
	value := i.secret(t)
	before := i.secrets(t)
	require.Contains(t, before, release+"-static-unseal")
	require.Contains(t, before, release+"-postgresql")
	require.ErrorContains(t, i.patchPod(t), "may change no other pod")

	options.SetValues["openbao.config.cacheSize"] = "65536"
	helm.UpgradeContext(t, t.Context(), options, parent, release)
	i.ready(t)
	require.EqualValues(t, 65536, parse(t, i.config(t))["cache_size"])
	i.fetches(t, value)
	require.Equal(t, before, i.secrets(t))
}

// TestInstallRendered applies what "helm template" prints, as GitOps does: the rendering makes no
// key, and says so; with a key of the user's own it can be applied again and again, pruning
// included.
func TestInstallRendered(t *testing.T) {
	i := newInstall(t)
	i.helm(t, "postgresql", map[string]string{}, nil)
	k8s.WaitUntilPodAvailableContext(t, t.Context(), i.kubectl, "postgresql-0", podRetries, podPause)
	i.helm(t, "gitlab-stub", map[string]string{"issuer": i.issuer.URL()}, map[string]string{"jwks": i.jwks})
	values := i.openBao()
	values["bootstrap.hook"] = "false"

	rendered := i.apply(t, values)
	require.NotContains(t, rendered, "kind: Secret")
	require.Contains(t, rendered, "# No Secret openbao-static-unseal here")
	i.makeKey(t)
	i.ready(t)
	value := i.secret(t)
	require.NoError(t, i.patchPod(t), "the Role alone reaches every pod")
	before, pods := i.secrets(t), i.pods(t)

	require.Equal(t, rendered, i.apply(t, values), "rendered twice")
	require.Equal(t, pods, i.pods(t), "nothing changed, so no pod is replaced")

	values["config.cacheSize"] = "65536"
	i.apply(t, values)
	require.Eventually(t, func() bool {
		now := i.pods(t)
		return len(now) == len(pods) && !slices.ContainsFunc(now,
			func(name string) bool { return slices.Contains(pods, name) })
	}, 2*startTime, podPause, "the pods are replaced")
	i.ready(t)
	i.fetches(t, value)
	require.Equal(t, before, i.secrets(t))
}

// under is values as a parent chart gives them to a sub-chart.
func under(chart string, values ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, some := range values {
		for key, value := range some {
			all[chart+"."+key] = value
		}
	}
	return all
}

// apply renders the chart without a cluster and applies what came out, pruning what is not in it.
func (i *install) apply(t *testing.T, values map[string]string) string {
	t.Helper()
	options := i.options("openbao", values)
	rendered, err := helm.RenderTemplateContextE(t, t.Context(), options, "openbao", release, nil,
		"--no-hooks", "--kube-version", kubeVersion)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "rendered.yaml")
	require.NoError(t, os.WriteFile(file, []byte(rendered), 0o600))
	k8s.RunKubectlContext(t, t.Context(), i.kubectl, "apply", "--filename", file, "--prune", "--selector",
		"app.kubernetes.io/instance="+release)
	return rendered
}

// makeKey does what the rendering asks for.
func (i *install) makeKey(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, key, 0o600))
	k8s.RunKubectlContext(t, t.Context(), i.kubectl, "create", "secret", "generic", release+"-static-unseal",
		"--from-file=key="+file)
}

// patchPod labels a pod of the database as OpenBao's account may.
func (i *install) patchPod(t *testing.T) error {
	t.Helper()
	database := k8s.ListPodsContext(t, t.Context(), i.kubectl, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=postgresql",
	})
	require.NotEmpty(t, database)
	return k8s.RunKubectlContextE(t, t.Context(), i.kubectl, "label", "pod", database[0].Name, "steamer=here",
		"--as", "system:serviceaccount:"+i.kubectl.Namespace+":"+release)
}

// secret waits until OpenBao serves, writes a secret and returns its value.
func (i *install) secret(t *testing.T) string {
	t.Helper()
	i.ready(t)
	i.rails(t, http.MethodPost, "sys/mounts/kv", map[string]any{"type": "kv", "options": map[string]any{"version": "2"}})
	value := unique.UniqueID()
	i.rails(t, http.MethodPost, "kv/data/ci", map[string]any{"data": map[string]any{"password": value}})
	i.fetches(t, value)
	return value
}

// secrets are the Secrets of the namespace by name, but for Helm's records of its releases.
func (i *install) secrets(t *testing.T) map[string]map[string][]byte {
	t.Helper()
	found := map[string]map[string][]byte{}
	client, err := k8s.GetKubernetesClientFromOptionsContextE(t, t.Context(), i.kubectl)
	require.NoError(t, err)
	all, err := client.CoreV1().Secrets(i.kubectl.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, secret := range all.Items {
		if secret.Type != "helm.sh/release.v1" {
			found[secret.Name] = secret.Data
		}
	}
	return found
}

// pods are the names of the server's pods.
func (i *install) pods(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pod := range k8s.ListPodsContext(t, t.Context(), i.kubectl, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=openbao",
	}) {
		if pod.Status.Phase != corev1.PodFailed {
			found = append(found, pod.Name)
		}
	}
	return found
}
