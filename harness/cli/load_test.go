package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

const fixtureDocument = `{"version":1,"target":"http://openbao.example:8200","tenants":[{"name":"p","secretPath":"s","authPath":"a","role":"r","jwt":"eyJ.token.x","secrets":[{"name":"n","sha256":"00"}]}]}`

func TestLoadManifests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixture, out := write(t, dir, "fixture.json", fixtureDocument), filepath.Join(dir, "load")
	good := []string{
		"load", "manifests", "--fixture", fixture, "--image", "registry.example/k6:1", "--tier", "150",
		"--parallelism", "4", "--output", out,
	}
	got := steamer(t, t.TempDir(), good...)
	require.Equal(t, exit.Pass, got.code, got.stderr)
	for _, want := range []string{
		"4 pods, 150 fetches/s together", "readable for you alone",
		"kubectl apply --server-side", "seq 4", "steamer load merge logs/ --profile smoke --tier 150",
	} {
		require.Contains(t, got.stdout, want)
	}
	require.NotContains(t, got.stdout+got.stderr, "eyJ")
	info, err := os.Stat(filepath.Join(out, "secret.yaml"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	for want, args := range map[string][]string{
		"--fixture: it is missing": {"load", "manifests", "--image", "x"},
		"it is no fixture":         append(good, "--fixture", write(t, dir, "no.json", "{}x")),
		`--image ""`:               append(good, "--image", ""),
		"--parallelism 0":          append(good, "--parallelism", "0"),
		"--generator-memory much":  append(good, "--generator-memory", "much"),
		"--rate":                   append(good, "--rate", "NaN"),
		"tier 7":                   append(good, "--tier", "7"),
		"no base URL":              append(good, "--target", "openbao"),
	} {
		refused := filepath.Join(t.TempDir(), "refused")
		got := steamer(t, t.TempDir(), append(args, "--output", refused)...)
		require.Equal(t, exit.Invalid, got.code, want)
		require.Contains(t, got.stderr, want)
		require.Contains(t, got.stderr, "hint:")
		require.NoDirExists(t, refused)
	}
}

func TestLoadFixture(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--token-ttl 10s": {"--valid", "10s"},
		"--token-ttl 48h": {"--token-ttl", "48h"},
		"the plan has 2":  {"--topology", "all"},
		"--in-cluster":    {"--in-cluster"},
		"fats.yaml":       {"--profile", "fats"},
		`tier 7`:          {"--tier", "7"},
		"--size 10k":      {"--rate", "3", "--size", "10k"},
	} {
		got := steamer(t, t.TempDir(), append([]string{"load", "fixture", "--output", t.TempDir()}, args...)...)
		require.Equal(t, exit.Invalid, got.code, "%s: %s", want, got.stderr)
		require.Empty(t, got.stdout, "nothing for a reader to take for a fixture")
		require.Contains(t, got.stderr, want)
		require.Contains(t, got.stderr, "hint:")
	}
	got := steamer(t, t.TempDir(), "load", "fixture", "--dry-run", "--port", freePort(t))
	require.Equal(t, exit.Pass, got.code, got.stderr)
	require.Contains(t, got.stdout, "topologies:\n- cloud-native\n")
	require.NotContains(t, got.stdout, "hybrid")
	require.Contains(t, got.stdout, "keep: true")
}

// bareLog is a log without histograms, of one process's share of 12 fetches/s.
func bareLog(segment string, fetches int) string {
	text := fmt.Sprintf(`{"v":1,"kind":"header","start":"2026-11-25T18:00:00Z","unit":"us","segment":%q}`+"\n", segment)
	for s := range 75 {
		phase := "warmup"
		if s >= 15 {
			phase = "measure"
		}
		text += fmt.Sprintf(`{"v":1,"kind":"interval","start_ms":%d,"end_ms":%d,"phase":%q,"count":{"fetches":%d}}`+"\n",
			1_800_000_000_000+s*1000, 1_800_000_001_000+s*1000, phase, fetches)
	}
	return text + `{"v":1,"kind":"summary","max_vus":5,"k6":"v2.1.0","cpu_s":2,"cpus":2}` + "\n"
}

func TestLoadMerge(t *testing.T) {
	t.Parallel()
	dir, runs := t.TempDir(), filepath.Join(t.TempDir(), "runs")
	write(t, dir, "logs/1.log", bareLog("0:1/2", 6))
	second := write(t, dir, "logs/2.log", bareLog("1/2:1", 6))
	args := []string{"load", "merge", filepath.Join(dir, "logs"), "--openbao", "v2.4.0", "--unobserved", "--output", runs}
	got := steamer(t, t.TempDir(), args...)
	require.Equal(t, exit.Inconclusive, got.code, "%s%s", got.stdout, got.stderr) // there is no latency in these logs
	require.Contains(t, got.stdout, "2.log: share 1/2:1, 360 fetches, began 0 s after the first")
	found, err := filepath.Glob(filepath.Join(runs, "*", "result.json"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	r, err := result.ReadFile(found[0])
	require.NoError(t, err)
	l := r.Topologies[0].Load
	require.EqualValues(t, 720, l.Fetches)
	require.Empty(t, l.Partial)
	require.InDelta(t, 12, l.AchievedRate, 1e-9)
	require.FileExists(t, filepath.Join(filepath.Dir(found[0]), "report.html"))
	require.FileExists(t, filepath.Join(filepath.Dir(found[0]), "k6-cloud-native.ndjson"))
	require.Equal(t, exit.Pass, steamer(t, t.TempDir(), "report", filepath.Dir(found[0])).code)
	gate := steamer(t, t.TempDir(), "gate", "--from", filepath.Dir(found[0]), "--tier", "12", "--output", t.TempDir())
	require.Equal(t, exit.Inconclusive, gate.code, gate.stderr)
	require.Contains(t, gate.stdout, "it fetched from an unknown number of tenants", "logs alone say nothing of a tier")

	refused := filepath.Join(t.TempDir(), "runs")
	text := bareLog("1/2:1", 6)
	for want, tc := range map[string]struct {
		log  string
		more []string
	}{
		"it is truncated":         {text[:len(text)-9], nil},
		"no interval log":         {"hello\n", nil},
		"its beginning is":        {text[strings.Index(text, "\n")+1:], nil},
		"--tolerance 1h0m0s":      {text, []string{"--tolerance", "1h"}},
		"no such topology":        {text, []string{"--topology", "moon"}},
		"name the result.json":    {text, []string{"--openbao", "", "--of", dir}},
		"leave --openbao-version": {text, []string{"--of", filepath.Dir(found[0])}},
		"no such file":            {text, []string{filepath.Join(dir, "none.log")}},
	} {
		require.NoError(t, os.WriteFile(second, []byte(tc.log), 0o600))
		got := steamer(t, t.TempDir(), append(append(args, tc.more...), "--output", refused)...)
		require.Equal(t, exit.Invalid, got.code, "%s: %s", want, got.stderr)
		require.Contains(t, got.stderr, want)
		require.NoDirExists(t, refused)
	}
}
