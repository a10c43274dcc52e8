package cli_test

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/cli"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/loopback"
)

// outcome is what one command line did.
type outcome struct {
	code           exit.Code
	stdout, stderr string
}

// steamer runs a command line on this repository, with a cache and an environment of its own.
func steamer(t *testing.T, cache string, args ...string) outcome {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	env := map[string]string{"STEAMER_ROOT": root, "STEAMER_CACHE": cache}
	var stdout, stderr bytes.Buffer
	code := cli.Main(t.Context(), &cli.State{
		Args: args, Stdout: &stdout, Stderr: &stderr, Getenv: func(name string) string { return env[name] },
	})
	return outcome{code, stdout.String(), stderr.String()}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// freePort is a loopback port that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	port, err := loopback.Ports(1)
	require.NoError(t, err)
	return strconv.Itoa(port)
}

// TestBadInput gives run what it has to refuse. Each refusal is exit code 3, names the input, the
// cause and the hint, and leaves no file behind: neither a run directory nor anything in the
// cache, where a private engine and images would be.
func TestBadInput(t *testing.T) {
	t.Parallel()
	files := t.TempDir()
	write(t, files, "broken/Chart.yaml", "apiVersion: v2\nname: broken\nversion: 1.0.0\n")
	write(t, files, "broken/templates/x.yaml", "{{ required \"the name of the moon\" .Values.moon }}")
	schema := write(t, files, "schema.yaml", "replicaCount: many\n")
	list := write(t, files, "list.yaml", "- a\n- b\n")
	unknown := write(t, files, "unknown.yaml", "apiVersion: steamer/v1\nkind: Plan\ntenant: 5\n")
	anonymous := write(t, files, "anonymous.yaml", "tenants: 5\n")
	kind := write(t, files, "kind.yaml", "apiVersion: steamer/v1\nkind: Plan\ncluster: {config: /nowhere/kind.yaml}\n")
	gitlab, err := os.ReadFile("../topology/dialects/gitlab.yaml")
	require.NoError(t, err)
	unfit := write(t, files, "unfit.yaml", strings.Replace(string(gitlab), "container: openbao-server", "container: moon",
		1))
	needy := "apiVersion: v2\nname: needy\nversion: 1.0.0\ndependencies: [{name: moon, version: 1.0.0, repository: \"https://charts.example\"}]\n"
	write(t, files, "needy/Chart.yaml", needy)
	archive := write(t, files, "broken.tgz", "no archive")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, busy.Close()) })
	taken := strconv.Itoa(busy.Addr().(*net.TCPAddr).Port)

	for name, tc := range map[string]struct {
		args []string
		want []string // input and cause
	}{
		"topology": {[]string{"--topology", "moon"}, []string{
			"--topology moon", "no such topology",
			"cloud-native-hybrid",
		}},
		"topology twice": {[]string{"--topology", "cloud-native,cloud-native"}, []string{"named twice"}},
		"image source":   {[]string{"--image-source", "moon"}, []string{"image source moon", "auto, build or pull"}},
		"tier":           {[]string{"--tier", "13"}, []string{"tier 13", "150"}},
		"profile":        {[]string{"--profile", "moon"}, []string{"moon"}},
		"dialect":        {[]string{"--dialect", "moon"}, []string{"--dialect moon", "no such dialect", "gitlab"}},
		"dialect file":   {[]string{"--dialect", "/nowhere.yaml"}, []string{"--dialect /nowhere.yaml", "no such file"}},
		"dialect parse": {[]string{"--dialect", schema}, []string{
			"--dialect " + schema, "replicaCount",
			"docs/dialects.md",
		}},
		"dialect unfit": {[]string{"--dialect", unfit}, []string{
			"with chart openbao", "they do not fit",
			"Deployment openbao has no container moon",
		}},
		"another's dialect": {[]string{"--dialect", "community"}, []string{
			"additional properties", "'server'",
			"--dialect",
		}},
		"chart dependency": {[]string{"--chart", filepath.Join(files, "needy")}, []string{
			"dependencies are missing",
			"moon", "helm dependency build",
		}},
		"chart archive": {[]string{"--chart", archive}, []string{"chart " + archive, "gzip"}},
		"chart nobody there": {
			[]string{"--chart", "oci://127.0.0.1:1/charts/openbao:1.0.0"},
			[]string{"chart oci://127.0.0.1:1/charts/openbao:1.0.0", "refused"},
		},
		"chart versionless": {
			[]string{"--chart", "oci://127.0.0.1:1/charts/openbao"},
			[]string{"neither a version nor a digest", "--chart-version"},
		},
		"chart repository": {
			[]string{"--chart", "x", "--repo", "http://127.0.0.1:1", "--version", "1"},
			[]string{"--repo http://127.0.0.1:1", "refused"},
		},
		"repository URL":    {[]string{"--chart", "x", "--repo", "moon"}, []string{"--repo", "not an http or https URL"}},
		"version of a path": {[]string{"--version", "1.0.0"}, []string{"--chart-version 1.0.0", "Chart.yaml"}},
		"tenants":           {[]string{"--tenants", "0"}, []string{"--tenants 0", "out of range", "1 to 10000"}},
		"secrets":           {[]string{"--secrets", "101"}, []string{"--secrets 101", "out of range"}},
		"ready timeout":     {[]string{"--ready-timeout", "-1s"}, []string{"--ready-timeout -1s", "is negative"}},
		"rate":              {[]string{"--rate", "-1"}, []string{"--rate -1", "out of range"}},
		"size alone":        {[]string{"--size", "10k"}, []string{"--size 10k", "does not follow", "--adoption"}},
		"adoption alone":    {[]string{"--adoption", "0.2"}, []string{"--adoption", "--size"}},
		"size and rate": {
			[]string{"--size", "10k", "--adoption", "0.2", "--rate", "7"},
			[]string{"--rate 7", "say the rate as well"},
		},
		"size and tier": {
			[]string{"--size", "10k", "--adoption", "0.5", "--tier", "12"},
			[]string{"--tier 12", "means 30 fetches per second"},
		},
		"size too large": {[]string{"--size", "50k", "--adoption", "1"}, []string{
			"--size 50k --adoption 1",
			"ends at 150", "at most 0.5",
		}},
		"mode":       {[]string{"--mode", "fast"}, []string{"--mode fast", "login-read-revoke"}},
		"mode mixed": {[]string{"--mode", "mixed"}, []string{"--mode mixed", "use a profile with weights"}},
		"environment": {[]string{"--environment-latency", "2s"}, []string{
			"--environment-latency 2s", "out of range",
			"0s to 1s",
		}},
		"port range":   {[]string{"--port", "70000"}, []string{"--port 70000", "out of range"}},
		"port taken":   {[]string{"--port", taken}, []string{"port " + taken, "in use", "--port"}},
		"cluster name": {[]string{"--cluster", "Not_A_Host"}, []string{"Not_A_Host", "host names"}},
		"no chart":     {[]string{"--chart", "/nowhere"}, []string{"chart /nowhere", "no such file"}},
		"not a chart":  {[]string{"--chart", files}, []string{"chart " + files, "Chart.yaml"}},
		"chart breaks": {
			[]string{"--chart", filepath.Join(files, "broken")},
			[]string{"does not render", "the name of the moon"},
		},
		"schema":            {[]string{"--values", schema}, []string{"replicaCount", "--values"}},
		"values missing":    {[]string{"--values", "/nowhere.yaml"}, []string{"/nowhere.yaml", "no such file"}},
		"values no mapping": {[]string{"--values", list}, []string{list, "YAML mapping"}},
		"set":               {[]string{"--set", "a"}, []string{"--set a", "key.path=value"}},
		"set schema":        {[]string{"--set", "image.pullPolicy=Sometimes"}, []string{"pullPolicy"}},
		"scenarios":         {[]string{"--scenarios", "^moon/"}, []string{"--scenarios ^moon/", "--list"}},
		"scenarios regexp":  {[]string{"--scenarios", "("}, []string{"--scenarios (", "missing closing"}},
		"slo":               {[]string{"--slo", "/nowhere.yaml"}, []string{"/nowhere.yaml"}},
		"plan missing":      {[]string{"--plan", "/nowhere.yaml"}, []string{"--plan /nowhere.yaml", "no such file"}},
		"plan unknown key":  {[]string{"--plan", unknown}, []string{unknown, "tenant", "--dry-run"}},
		"plan anonymous":    {[]string{"--plan", anonymous}, []string{anonymous, "apiVersion"}},
		"kind config":       {[]string{"--plan", kind}, []string{"/nowhere/kind.yaml"}},
		"image":             {[]string{"--image", "moon=a:1"}, []string{"--image moon=a:1", "no such image"}},
		"node of existing": {
			[]string{"--context", "moon", "--image", "node=kindest/node:v1.35.0"},
			[]string{"--image node=", "are there"},
		},
		"image reference":    {[]string{"--image", "openbao=A b"}, []string{"--image openbao=A b", "REPOSITORY:TAG"}},
		"image untagged":     {[]string{"--image", "openbao=a/b"}, []string{"neither tag nor digest"}},
		"existing, no image": {[]string{"--context", "moon"}, []string{"--image openbao", "cannot see"}},
		"existing hybrid": {[]string{"--context", "moon", "--topology", "all"}, []string{
			"--topology cloud-native-hybrid",
			"no engine",
		}},
		"kubeconfig": {
			[]string{"--kubeconfig", "/nowhere", "--image", "openbao=a:1,postgresql=b:1,gitlab-stub=c:1"},
			[]string{"kubeconfig /nowhere", "no such file"},
		},
		"unknown flag": {[]string{"--moon"}, []string{"--moon", "--help"}},
		"flag type":    {[]string{"--tenants", "many"}, []string{"many", "--help"}},
		"argument":     {[]string{"moon"}, []string{"moon", "--help"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := append([]string{"run", "--output", filepath.Join(dir, "runs"), "--port", freePort(t)}, tc.args...)
			got := steamer(t, filepath.Join(dir, "cache"), args...)
			require.Equal(t, exit.Invalid, got.code, got.stderr)
			for _, part := range append(tc.want, "steamer: ", "hint: ") {
				require.Contains(t, got.stderr, part)
			}
			require.Empty(t, got.stdout)
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left, "something was created")
		})
	}
}

// TestUnknownCommand covers what cobra itself answers, with success where a group only prints its
// help.
func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"moon"},
		{"cluster", "dwon"},
		{"images", "moon"},
		{"engine", "moon"},
		{"cluster", "list", "moon"},
		{"charts", "moon"},
		{"charts", "package"},
		{"charts", "package", "/nowhere"},
		{"images", "save"},
		{"images", "load", "/nowhere"},
	} {
		got := steamer(t, t.TempDir(), args...)
		require.Equal(t, exit.Invalid, got.code, "%v: %s", args, got.stderr)
		require.Contains(t, got.stderr, "hint: ")
	}
	for _, args := range [][]string{{}, {"cluster"}, {"images"}, {"run", "--help"}, {"test", "--list"}} {
		got := steamer(t, t.TempDir(), args...)
		require.Equal(t, exit.Pass, got.code, "%v: %s", args, got.stderr)
		require.NotEmpty(t, got.stdout)
	}
}

// TestDryRun reads the printed plan back and expects the same plan, flags included, and nothing on
// disk.
func TestDryRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, port := filepath.Join(dir, "cache"), freePort(t)
	for name, args := range map[string][]string{
		"defaults": {"run", "--dry-run", "--port", port},
		"test":     {"test", "--dry-run", "--port", port, "--scenarios", "^access/", "--topology", "cloud-native"},
		"flags": {
			"run", "--dry-run", "--port", port, "--set", "replicaCount=3", "--set", "podAnnotations.a=b", "--tier", "30",
			"--rate", "7.5",
			"--tenants", "3", "--cluster", "other", "--keep", "--environment-latency", "2.5ms",
		},
		"workload": {
			"perf", "--dry-run", "--port", port, "--profile", "spike", "--size", "10k", "--adoption", "0.5",
			"--mode", "login-read", "--retries",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := steamer(t, cache, args...)
			require.Equal(t, exit.Pass, first.code, first.stderr)
			require.Contains(t, first.stdout, "kind: Plan")
			file := write(t, t.TempDir(), "plan.yaml", first.stdout)
			second := steamer(t, cache, "run", "--plan", file, "--dry-run")
			require.Equal(t, exit.Pass, second.code, second.stderr)
			require.Equal(t, first.stdout, second.stdout)
		})
	}
	_, err := os.Stat(cache)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestSizeBringsItsTier: a flag replaces what the plan file says of the rate.
func TestSizeBringsItsTier(t *testing.T) {
	t.Parallel()
	cache, port := t.TempDir(), freePort(t)
	got := steamer(t, cache, "perf", "--dry-run", "--port", port, "--size", "10k", "--adoption", "0.5", "--retries=false")
	require.Equal(t, exit.Pass, got.code, got.stderr)
	require.Contains(t, got.stdout, "tier: \"30\"")
	require.Contains(t, got.stdout, "retries: false")
	file := write(t, t.TempDir(), "plan.yaml", got.stdout)
	got = steamer(t, cache, "perf", "--dry-run", "--plan", file, "--rate", "7")
	require.Equal(t, exit.Pass, got.code, got.stderr)
	require.NotContains(t, got.stdout, "adoption")
	require.Contains(t, got.stdout, "rate: 7")
	got = steamer(t, cache, "perf", "--dry-run", "--plan", file, "--size", "50k", "--adoption", "0.2", "--tier", "150")
	require.Equal(t, exit.Pass, got.code, got.stderr)
	require.Contains(t, got.stdout, "tier: \"150\"")
}

// TestFlagsReplaceThePlanFile: lists and maps are replaced whole, by old names of flags, too.
func TestFlagsReplaceThePlanFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := write(t, dir, "a.yaml", "replicaCount: 1\n"), write(t, dir, "b.yaml", "replicaCount: 2\n")
	file := write(t, dir, "plan.yaml", "apiVersion: steamer/v1\nkind: Plan\nvalues: ["+a+"]\nset: [replicaCount=5]\n"+
		"images: {node: 'n:1', openbao: 'o:1'}\ntopologies: [cloud-native-hybrid]\ntier: \"30\"\nretries: true\n"+
		"readyTimeout: 5m\noutput: kept\n")
	args := []string{"run", "--dry-run", "--port", freePort(t), "--plan", file}
	got := steamer(t, t.TempDir(), args...)
	require.Equal(t, exit.Pass, got.code, got.stderr)
	for _, want := range []string{
		a, "replicaCount=5", "node: n:1", "- cloud-native-hybrid\n", `tier: "30"`, "retries: true", "readyTimeout: 5m0s",
		"output: kept",
	} {
		require.Contains(t, got.stdout, want)
	}
	got = steamer(t, t.TempDir(), append(args, "-f", b, "--set", "replicaCount=6", "--image", "openbao=p:2",
		"--topology", "cloud-native", "--tier", "60", "--retries=false", "--ready-timeout", "7m", "--output", "other")...)
	require.Equal(t, exit.Pass, got.code, got.stderr)
	for _, want := range []string{
		"values:\n- " + b + "\n", "set:\n- replicaCount=6\n", "images:\n  openbao: p:2\n", "topologies:\n- cloud-native\n",
		`tier: "60"`, "retries: false", "readyTimeout: 7m0s", "output: other",
	} {
		require.Contains(t, got.stdout, want)
	}
	require.NotContains(t, got.stdout, a)
}
