//go:build kept

package scenarios_test

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/scenario/scenariotest"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/topology"
)

// TestKept runs the scenarios as tests on the cluster that "steamer cluster up" or a run with --keep left, for example
//
//	STEAMER_TOPOLOGY=cloud-native go test -tags kept ./scenarios -run 'TestKept/lifecycle/rollback' -v
//
// It installs the charts as they are in the source tree, and the cluster stays.
func TestKept(t *testing.T) {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	home, err := os.UserCacheDir()
	require.NoError(t, err)
	cache := cmp.Or(os.Getenv("STEAMER_CACHE"), filepath.Join(home, "steamer"))
	p := plan.Default(root)
	p.Topologies = []string{cmp.Or(os.Getenv("STEAMER_TOPOLOGY"), topology.CloudNative)}
	p.Scenarios, p.Load, p.Tenants, p.Output = scenario.All, false, 6, t.TempDir()
	p.Cluster.Reuse, p.Cluster.Keep = true, true
	resolved, err := p.Resolve(t.Context(), root, chart.Fetcher{})
	require.NoError(t, err)
	provider := &platform.Provider{
		Plan: resolved, Root: root, Cache: cache,
		Builder: &images.Builder{Root: root, Cache: cache, Source: images.FromAuto},
		Engine:  engine.Options{DataDir: filepath.Join(cache, "engine"), Log: func(line string) { t.Log(line) }},
	}
	require.NoError(t, provider.Preflight(t.Context()))
	r := &run.Runner{
		Plan: resolved, Platform: run.OnCluster(provider), UI: &steps.Text{W: os.Stderr}, Suite: scenariotest.Suite(t),
	}
	_, _, err = r.Run(t.Context())
	require.NoError(t, err)
}
