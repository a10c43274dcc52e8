//go:build kind

package charts_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	unique "github.com/gruntwork-io/terratest/modules/random"
	"github.com/gruntwork-io/terratest/modules/shell"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// How long the Helm commands and the waits for pods may take: retries, and the pause between two.
const (
	helmTimeout = "5m"
	podRetries  = 60
	podPause    = 5 * time.Second
)

// TestInstall takes the chart through its life with terratest alone, as an example to start from:
// install, upgrade, roll back, and after each a secret that a client fetches. It needs a cluster,
// which stays; everything is in a namespace of its own, which goes:
//
//	bin/steamer cluster up --name steamer
//	make test-install
func TestInstall(t *testing.T) {
	i := newInstall(t)
	i.helm(t, "postgresql", map[string]string{}, nil)
	k8s.WaitUntilPodAvailableContext(t, t.Context(), i.kubectl, "postgresql-0", podRetries, podPause)
	i.helm(t, "gitlab-stub", map[string]string{"issuer": i.issuer.URL()}, map[string]string{"jwks": i.jwks})

	options := i.options("openbao", i.openBao())
	helm.InstallContext(t, t.Context(), options, "openbao", release)
	value := i.secret(t)
	installed := i.config(t)

	options.SetValues["config.cacheSize"] = "65536"
	helm.UpgradeContext(t, t.Context(), options, "openbao", release)
	i.ready(t)
	i.fetches(t, value)
	require.EqualValues(t, 65536, parse(t, i.config(t))["cache_size"])

	helm.RollbackContext(t, t.Context(), options, release, "1")
	i.ready(t)
	i.fetches(t, value)
	require.JSONEq(t, installed, i.config(t))
}

// install is a namespace with the chart and what it needs.
type install struct {
	kubectl *k8s.KubectlOptions
	images  map[string]map[string]string // values that name the image, by the chart's name
	issuer  *gitlab.Issuer
	jwks    string // file with the issuer's public keys
}

// newInstall makes the namespace, and removes it when the test ends.
func newInstall(t *testing.T) *install {
	t.Helper()
	space := "chart-" + strings.ToLower(unique.UniqueID())
	i := &install{kubectl: k8s.NewKubectlOptions("", "", space), jwks: filepath.Join(t.TempDir(), "jwks.json")}
	i.images = loadImages(t, i.kubectl)
	k8s.CreateNamespaceContext(t, t.Context(), i.kubectl, space)
	t.Cleanup(func() { k8s.DeleteNamespaceContext(t, context.WithoutCancel(t.Context()), i.kubectl, space) })

	var err error
	i.issuer, err = gitlab.NewIssuer("http://gitlab-stub."+space+".svc.cluster.local:8080", gitlab.RS256)
	require.NoError(t, err)
	keys, err := i.issuer.JWKS()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(i.jwks, keys, 0o600))
	return i
}

// options are those of one chart: its values, its image, and that Helm waits until its pods are
// ready.
func (i *install) options(chart string, values map[string]string) *helm.Options {
	wait := []string{"--wait", "--timeout", helmTimeout}
	return &helm.Options{
		KubectlOptions: i.kubectl,
		SetValues:      values,
		SetStrValues:   i.images[chart],
		ExtraArgs:      map[string][]string{"install": wait, "upgrade": wait, "rollback": wait},
	}
}

// helm installs a fixture chart.
func (i *install) helm(t *testing.T, chart string, values, files map[string]string) {
	t.Helper()
	options := i.options(chart, values)
	options.SetFiles = files
	helm.InstallContext(t, t.Context(), options, chart, chart)
}

// openBao are the values of charts/openbao here.
func (i *install) openBao() map[string]string {
	return map[string]string{
		"openbaoVersion":                      "2.4.0",
		"resources.requests.cpu":              "50m",
		"config.initialize.oidcDiscoveryUrl":  i.issuer.URL(),
		"config.initialize.boundAudiences[0]": audience,
		connection + "host":                   "postgresql",
		connection + "database":               "openbao",
		connection + "username":               "openbao",
		connection + "sslMode":                "disable",
		connection + "password.secret":        "postgresql",
		connection + "password.key":           "password",
	}
}

const connection = "config.storage.postgresql.connection."

// ready waits until both pods serve and one of them is active.
func (i *install) ready(t *testing.T) {
	t.Helper()
	k8s.WaitUntilDeploymentAvailableContext(t, t.Context(), i.kubectl, release, podRetries, podPause)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		client, leave, err := i.forward(t)
		if assert.NoError(c, err) {
			defer leave()
			health, err := client.Health(t.Context())
			assert.NoError(c, err)
			assert.True(c, health.Active(), "%+v", health)
		}
	}, startTime, time.Second, "no active pod")
}

// forward opens a port-forward to the active pod. The caller has to call leave.
func (i *install) forward(t *testing.T) (client *openbao.Client, leave func(), err error) {
	t.Helper()
	tunnel := k8s.NewTunnel(i.kubectl, k8s.ResourceTypeService, release+"-active", 0, 8200)
	if err := tunnel.ForwardPortE(t); err != nil {
		return nil, nil, err
	}
	client = openbao.New("http://"+tunnel.Endpoint(), nil)
	return client, func() { client.Close(); tunnel.Close() }, nil
}

// rails sends one request as GitLab Rails does, with a JWT in its header, until it is answered: a
// new KV mount needs a moment.
func (i *install) rails(t *testing.T, method, path string, body any) *openbao.Response {
	t.Helper()
	var answer *openbao.Response
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		client, leave, err := i.forward(t)
		if !assert.NoError(c, err) {
			return
		}
		defer leave()
		auth, err := i.issuer.RailsAuth(audience)
		assert.NoError(c, err)
		answer, err = client.Do(t.Context(), openbao.Request{Method: method, Path: path, Body: body, Auth: auth})
		if assert.NoError(c, err) {
			assert.True(c, answer.OK(), "%s %s: status %d: %s", method, path, answer.Status, answer.Message())
		}
	}, startTime, time.Second)
	return answer
}

// fetches checks that a client gets the secret's value.
func (i *install) fetches(t *testing.T, value string) {
	t.Helper()
	var secret struct{ Data struct{ Password string } }
	require.NoError(t, json.Unmarshal(i.rails(t, http.MethodGet, "kv/data/ci", nil).Data, &secret))
	require.Equal(t, value, secret.Data.Password)
}

// config is the pods' configuration as the cluster has it.
func (i *install) config(t *testing.T) string {
	t.Helper()
	return k8s.GetConfigMapContext(t, t.Context(), i.kubectl, release+"-config").Data["config.json"]
}

// loadImages puts the images that Steamer built into the nodes, which see the cache's directory,
// and returns the values that name them, by the name of their chart. The engine is the one that
// DOCKER_HOST names.
func loadImages(t *testing.T, kubectl *k8s.KubectlOptions) map[string]map[string]string {
	t.Helper()
	steamer, err := filepath.Abs("../bin/steamer")
	require.NoError(t, err)
	listed, err := exec.CommandContext(t.Context(), steamer, "images", "list", "--json").Output()
	require.NoError(t, err)
	var all []struct{ Name, Ref, Digest, Archive string }
	require.NoError(t, json.Unmarshal(listed, &all))

	found := map[string]map[string]string{}
	for _, built := range all {
		if !slices.Contains([]string{"openbao", "postgresql", "gitlab-stub"}, built.Name) { // what the target builds
			continue
		}
		require.NotEmpty(t, built.Digest, "bin/steamer images build %s", built.Name)
		colon := strings.LastIndex(built.Ref, ":")
		found[built.Name] = map[string]string{"image.repository": built.Ref[:colon], "image.tag": built.Ref[colon+1:]}
		for _, node := range k8s.GetNodesContext(t, t.Context(), kubectl) {
			shell.RunCommandContext(t, t.Context(), &shell.Command{
				Command: "docker",
				Args: []string{
					"exec", node.Name, "ctr", "--namespace", "k8s.io", "images", "import",
					path.Join("/kind/steamer-images", filepath.Base(built.Archive)),
				},
			})
		}
	}
	return found
}
