package topology

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// TestConfigRuns starts the real OpenBao with the configuration that each dialect makes, on an
// empty database of a real PostgreSQL, and works with it as Rails does. The configuration is the
// chart's where there is one, else what the dialect puts into the values; only what needs a
// cluster is replaced: addresses, the path of the key, the connection URL and service
// registration.
func TestConfigRuns(t *testing.T) {
	t.Parallel()
	local, err := localbao.Start(t.Context(), localbao.Options{})
	require.NoError(t, err)
	t.Cleanup(local.Stop)
	for i, p := range pairs(t) {
		if p.chart == reference { // charts/ has tests of its own, and a Job that initialises
			continue
		}
		for _, name := range Names() {
			t.Run(p.String()+" "+name, func(t *testing.T) {
				env, err := p.prepare(t, name)
				require.NoError(t, err)
				runConfig(t, local, env, configMap(t, env), fmt.Sprintf("outside_%d_%s", i, short[name]))
			})
		}
	}
	t.Run("community values", func(t *testing.T) {
		dialect, err := DialectNamed("community")
		require.NoError(t, err)
		env := &Environment{Spec: Spec{Topology: CloudNative, Dialect: dialect}, Namespace: namespaceOf(CloudNative)}
		issuer, err := gitlab.NewIssuer(env.serviceURL("gitlab-stub", 8080), gitlab.RS256)
		require.NoError(t, err)
		env.Issuer = issuer
		values, err := dialect.Render(Inputs{Issuer: issuer.URL(), Audience: env.Audience(), Database: Database{
			Host: "db",
			Port: 5432, SSLMode: "disable",
		}})
		require.NoError(t, err)
		config := values["server"].(map[string]any)["ha"].(map[string]any)["config"].(string)
		runConfig(t, local, env, map[string]string{"config.hcl": config}, "community_values")
	})
}

// configMap is the content of the ConfigMap with OpenBao's configuration.
func configMap(t *testing.T, env *Environment) map[string]string {
	t.Helper()
	for _, document := range regexp.MustCompile(`(?m)^---$`).Split(joined(t, env), -1) {
		var found corev1.ConfigMap
		require.NoError(t, yaml.Unmarshal([]byte(document), &found))
		if found.Kind == "ConfigMap" && found.Name == env.Spec.Dialect.Release+"-config" {
			return found.Data
		}
	}
	require.Fail(t, "no ConfigMap")
	return nil
}

func joined(t *testing.T, env *Environment) string {
	t.Helper()
	files, err := env.Spec.Chart.Render(env.rendering(), env.values)
	require.NoError(t, err)
	var all []string
	for name, text := range files {
		if strings.HasSuffix(name, ".yaml") {
			all = append(all, text)
		}
	}
	return strings.Join(all, "\n---\n")
}

// output is a program's output so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func runConfig(t *testing.T, local *localbao.Server, env *Environment, files map[string]string, database string) {
	t.Helper()
	connection, err := url.Parse(local.DatabaseURL())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), connection.String())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE DATABASE "+pgx.Identifier{database}.Sanitize())
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	connection.Path = "/" + database

	issuer, err := local.Trust()
	require.NoError(t, err)
	dir, api, metrics := t.TempDir(), address(t), address(t)
	key := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(key, bytes.Repeat([]byte{7}, 32), 0o600))
	adapt := strings.NewReplacer(
		`"[::]:8200"`, `"`+api+`"`, `":8200"`, `"`+api+`"`, `"[::]:8209"`, `"`+metrics+`"`, `":8209"`, `"`+metrics+`"`,
		`"[::]:8201"`, `"`+address(t)+`"`,
		"/openbao/unseal/key", key, "/srv/openbao/keys/static-unseal-1", key, env.Issuer.URL(), issuer.URL(),
		`service_registration "kubernetes" {}`, "",
	)
	registration := regexp.MustCompile(`(?s)"service_registration": \{.*?\},\s*"listener"`)
	config := filepath.Join(dir, "config")
	require.NoError(t, os.Mkdir(config, 0o755))
	for name, text := range files {
		text = registration.ReplaceAllString(adapt.Replace(text), `"listener"`)
		require.NoError(t, os.WriteFile(filepath.Join(config, name), []byte(text), 0o600))
	}
	binary := os.Getenv(localbao.EnvOpenBao)
	if binary == "" {
		binary = "bao"
	}
	var log output
	cmd := exec.CommandContext(t.Context(), binary, "server", "-config="+config)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &log, &log, dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "BAO_PG_CONNECTION_URL=" + connection.String(), "BAO_API_ADDR=http://" + api,
		"BAO_CLUSTER_ADDR=https://" + address(t),
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })

	env.Issuer = issuer
	client := openbao.New("http://"+api, nil)
	defer client.Close()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		assert.NoError(c, env.asRails(ctx, client))
	}, 30*time.Second, 100*time.Millisecond, "log:\n%s", &log)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+metrics+
		"/v1/sys/metrics?format=prometheus", http.NoBody)
	require.NoError(t, err)
	answer, err := openbao.Trusting(false, nil).Do(request)
	require.NoError(t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, errors.Join(err, answer.Body.Close()))
	require.Contains(t, string(text), "openbao_core_unsealed", "metrics without a token")
	require.Contains(t, log.String(), `"path":"sys/mounts"`, "the audit device writes to stdout")
}

// address is a free loopback HOST:PORT.
func address(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return listener.Addr().String()
}
