package plan_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
)

const root = "../.."

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const head = "apiVersion: " + result.APIVersion + "\nkind: Plan\n"

// TestRead overlays files on the default: what a file does not say stays, and what no plan knows
// is refused.
func TestRead(t *testing.T) {
	t.Parallel()
	base := plan.Default(root)
	p, err := plan.Read(file(t, head+"topologies: [cloud-native]\ntenants: 7\ncluster: {ttl: 90m}\n"), base)
	require.NoError(t, err)
	want := plan.Default(root)
	want.Topologies, want.Tenants, want.Cluster.TTL = []string{"cloud-native"}, 7, p.Cluster.TTL
	require.Equal(t, want, p)
	require.Equal(t, 90*time.Minute, time.Duration(p.Cluster.TTL))

	for name, text := range map[string]string{
		"empty": "", "no kind": "apiVersion: " + result.APIVersion + "\n", "another kind": "apiVersion: " +
			result.APIVersion + "\nkind: Result\n",
		"another version": "apiVersion: steamer/v0\nkind: Plan\n", "unknown field": head + "tenant: 1\n",
		"unknown nested field": head + "cluster: {prt: 1}\n",
		"wrong type":           head + "tenants: many\n", "named twice": head + "tenants: 1\ntenants: 2\n", "duration": head +
			"cluster: {ttl: soon}\n", "no YAML": head + "\t",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, text)
			_, err := plan.Read(path, plan.Default(root))
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, path)
		})
	}
}

// TestResolve checks the default plan, and that values files and assignments win in Helm's order.
func TestResolve(t *testing.T) {
	t.Parallel()
	p := plan.Default(root)
	first, second := file(t, "a: {p: 1, q: 1}\nb: 1\n"), file(t, "a: {q: 2}\n")
	p.Values, p.Set = []string{first, second}, []string{"a.z=3,b=4", "a.z=5"}
	r, err := p.Resolve(t.Context(), root, chart.Fetcher{})
	require.NoError(t, err)
	require.Equal(t, "smoke", r.Profile.Name)
	require.Equal(t, "openbao", r.Chart.Info().Name)
	require.NotNil(t, r.Fixtures.PostgreSQL)
	require.NotNil(t, r.Fixtures.GitLabStub)
	require.Equal(t, map[string]any{
		"a": map[string]any{"p": float64(1), "q": float64(2), "z": int64(5)}, "b": int64(4),
	}, r.Overrides)
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*plan.Plan){
		"no topology":      func(p *plan.Plan) { p.Topologies = nil },
		"unknown topology": func(p *plan.Plan) { p.Topologies = []string{"moon"} },
		"tenants":          func(p *plan.Plan) { p.Tenants = 10001 },
		"secrets":          func(p *plan.Plan) { p.Secrets = 0 },
		"port":             func(p *plan.Plan) { p.Cluster.Port = -1 },
		"rate":             func(p *plan.Plan) { p.Rate = 1e6 },
		"ttl":              func(p *plan.Plan) { p.Cluster.TTL = 0 },
		"tier":             func(p *plan.Plan) { p.Tier = "13" },
		"profile":          func(p *plan.Plan) { p.Profile = "moon" },
		"dialect":          func(p *plan.Plan) { p.Dialect = "moon" },
		"dialect path":     func(p *plan.Plan) { p.Dialect = "../gitlab" },
		"slo":              func(p *plan.Plan) { p.SLO = "/nowhere" },
		"chart":            func(p *plan.Plan) { p.Chart = "/nowhere" },
		"no archive":       func(p *plan.Plan) { p.Chart, p.Repo, p.Version = "openbao", "http://127.0.0.1:1", "1.0.0" },
		"version of path":  func(p *plan.Plan) { p.Version = "1.0.0" },
		"dialect file":     func(p *plan.Plan) { p.Dialect = "plan_test.go" },
		"values":           func(p *plan.Plan) { p.Values = []string{"/nowhere"} },
		"set":              func(p *plan.Plan) { p.Set = []string{"a"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan.Default(root)
			change(&p)
			_, err := p.Resolve(t.Context(), root, chart.Fetcher{})
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
		})
	}
}

// FuzzRead: whatever the file holds, Read returns a plan that prints and reads back as itself, or
// an exit.Invalid error.
func FuzzRead(f *testing.F) {
	text, err := plan.Default(root).YAML()
	require.NoError(f, err)
	for _, seed := range []string{
		text, head, head + "set: [a=b]\n", head + "cluster: {ttl: 1h}\n", "{}", "\t",
		head + "rate: 1e309\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := plan.Read(file(t, text), plan.Default(root))
		if err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			return
		}
		printed, err := p.YAML()
		require.NoError(t, err)
		again, err := plan.Read(file(t, printed), plan.Plan{})
		require.NoError(t, err)
		reprinted, err := again.YAML()
		require.NoError(t, err)
		require.Equal(t, printed, reprinted)
	})
}
