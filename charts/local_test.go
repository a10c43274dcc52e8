package charts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/loopback"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

const audience = "http://openbao.steamer.svc.cluster.local"

// site is what the pods of one release share: a PostgreSQL, an issuer served by the
// real gitlab-stub program, and an unseal key.
type site struct {
	database *url.URL // of localbao's server; holds a password
	bin      string   // a directory with the real OpenBao as "bao"
	issuer   *gitlab.Issuer
	key      string // file with the unseal key
	files    string // directory of what is mounted; empty: nothing is
}

// newSite starts the parts. A missing OpenBao or PostgreSQL fails the test, and the
// message says which variable or package is missing.
func newSite(t *testing.T) *site {
	t.Helper()
	local, err := localbao.Start(t.Context(), localbao.Options{})
	require.NoError(t, err)
	t.Cleanup(local.Stop)
	s := &site{bin: t.TempDir()}
	s.database, err = url.Parse(local.DatabaseURL())
	require.NoError(t, err)

	name := os.Getenv(localbao.EnvOpenBao)
	if name == "" {
		name = "bao"
	}
	bao, err := exec.LookPath(name)
	require.NoError(t, err)
	bao, err = filepath.Abs(bao)
	require.NoError(t, err)
	require.NoError(t, os.Symlink(bao, filepath.Join(s.bin, "bao")))
	s.issuer = startStub(t)
	return s
}

// startStub builds and runs gitlab-stub and publishes the keys of a new issuer.
func startStub(t *testing.T) *gitlab.Issuer {
	t.Helper()
	dir := t.TempDir()
	binary, keys := filepath.Join(dir, "gitlab-stub"), filepath.Join(dir, "jwks.json")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir = "../harness/images/gitlab-stub"
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	address := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1))
	issuer, err := gitlab.NewIssuer("http://"+address, gitlab.RS256)
	require.NoError(t, err)
	jwks, err := issuer.JWKS()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keys, jwks, 0o600))
	startProcess(t, binary, []string{"-jwks", keys}, "LISTEN="+address, "ISSUER="+issuer.URL())
	return issuer
}

// fresh makes an empty database and an unseal key for it, and returns the chart's
// values that point to both.
func (s *site) fresh(t *testing.T, name string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.database.String())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	_, err = conn.Exec(t.Context(), "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	require.NoError(t, err)

	s.key = filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(s.key, unsealSecret(t).Data["key"], 0o600))
	values, err := s.values(name)
	require.NoError(t, err)
	return values
}

// values are what a release's values would say here. JSON is YAML too.
func (s *site) values(database string) (string, error) {
	text, err := json.Marshal(map[string]any{"config": map[string]any{
		"serviceRegistration": map[string]any{"enabled": false}, // there is no Kubernetes
		"unseal":              map[string]any{"static": map[string]any{"currentKey": s.key}},
		"initialize": map[string]any{
			"oidcDiscoveryUrl": s.issuer.URL(), "boundIssuer": s.issuer.URL(),
			"boundAudiences": audience,
		},
		"storage": map[string]any{"postgresql": map[string]any{"connection": map[string]any{
			"host": s.database.Hostname(), "port": json.Number(s.database.Port()),
			"database": database, "username": s.database.User.Username(),
		}}},
	}})
	return string(text), err
}

// with lays more values over those of a release.
func with(t *testing.T, values, more string) string {
	t.Helper()
	base, err := chart.ParseValues("base", []byte(values))
	require.NoError(t, err)
	over, err := chart.ParseValues("over", []byte(more))
	require.NoError(t, err)
	text, err := json.Marshal(chart.Merge(base, over))
	require.NoError(t, err)
	return string(text)
}

// node is one OpenBao process with the configuration the chart renders.
type node struct {
	*process
	api, metrics string // base URLs
	env          []string
}

// ports of a node, counted from its base. OpenBao opens base+3 itself: every TCP
// listener without a cluster address gets one on the next port.
const (
	apiPort = iota
	clusterPort
	metricsPort
	portsPerNode = metricsPort + 2
)

// mounts is where the chart mounts files of Secrets and ConfigMaps.
const mounts = "/srv/openbao/"

// config writes config.json as a pod would see it, on loopback ports of its own and with
// the mounted files below its directory, and returns the environment of its process.
func (s *site) config(t *testing.T, template, configMap, values string, base int) (dir string, env []string) {
	t.Helper()
	ports := fmt.Sprintf("{config: {apiPort: %d, clusterPort: %d, metricsListener: {port: %d}}}", base+apiPort,
		base+clusterPort, base+metricsPort)
	data := decode[*corev1.ConfigMap](t, renderOpenBao(t, with(t, values, ports), template), configMap).Data
	dir = t.TempDir()
	files := s.files
	if files == "" {
		files = dir
	}
	for name, text := range data {
		text = strings.ReplaceAll(text, mounts, files+"/")
		text = strings.ReplaceAll(text, url.QueryEscape(mounts), url.QueryEscape(files+"/"))
		text = strings.ReplaceAll(text, `"address": ":`, `"address": "127.0.0.1:`)
		text = strings.ReplaceAll(text, `"cluster_address": ":`, `"cluster_address": "127.0.0.1:`)
		if name == "probe.json" { // the Job's volume has it there
			name = filepath.Join("probe", "config.json")
			require.NoError(t, os.Mkdir(filepath.Join(dir, "probe"), 0o700))
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	password, _ := s.database.User.Password()
	address := fmt.Sprintf("http://127.0.0.1:%d", base+apiPort)
	return dir, []string{
		"PATH=" + s.bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "PGPASSWORD=" + password,
		"OPENBAO_CONFIG_DIRECTORY=" + dir, "BAO_ADDR=" + address, "BAO_API_ADDR=" + address,
		fmt.Sprintf("BAO_CLUSTER_ADDR=https://127.0.0.1:%d", base+clusterPort),
		"BAO_CLIENT_TIMEOUT=5s", "BAO_MAX_RETRIES=0", "BAO_SKIP_VERIFY=true",
	}
}

// startNode starts what a pod runs; it does not wait.
func (s *site) startNode(t *testing.T, values string) *node {
	t.Helper()
	base := freePorts(t, portsPerNode)
	dir, env := s.config(t, "templates/configmap.yaml", "openbao-config", values, base)
	return &node{
		process: startProcess(t, filepath.Join(s.bin, "bao"), []string{"server", "-config=" + dir}, env...),
		api:     fmt.Sprintf("http://127.0.0.1:%d", base+apiPort),
		metrics: fmt.Sprintf("http://127.0.0.1:%d", base+metricsPort),
		env:     env,
	}
}

// bootstrap runs what the hook Job runs when no pod can be there, to its end. More variables win.
func (s *site) bootstrap(t *testing.T, values, active string, more ...string) (string, error) {
	t.Helper()
	dir, env := s.config(t, "templates/bootstrap.yaml", "openbao-bootstrap", values, freePorts(t, portsPerNode))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", filepath.Join(dir, "bootstrap.sh"))
	cmd.Env = append(env, "ACTIVE_ADDR="+active, "ALONE=true", "LOGIN=auth/gitlab_rails_jwt/login",
		"PROBE_KEY=the-key-of-a-server-that-cannot.")
	cmd.Env = append(cmd.Env, more...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// process is a child whose output is kept. It ends with the test, or when stop is called.
type process struct {
	stop func()
	mu   sync.Mutex
	out  bytes.Buffer
}

// Write collects the output.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// log is the output so far.
func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// startProcess runs a program with exactly the given environment. It gets SIGTERM
// when the test ends, as a container does, and SIGKILL if this process dies. The
// kernel ties the latter to a thread, so one is kept for it (golang.org/issue/27505).
func startProcess(t *testing.T, binary string, args []string, env ...string) *process {
	t.Helper()
	p := &process{}
	cmd := exec.Command(binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, p, p
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 10 * time.Second
	started, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	require.NoError(t, <-started)
	p.stop = sync.OnceFunc(func() {
		timer := time.AfterFunc(15*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-done
	})
	t.Cleanup(p.stop)
	return p
}

// freePorts finds n consecutive loopback ports that nobody listens on and returns the first.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	base, err := loopback.Ports(n)
	require.NoError(t, err)
	return base
}
