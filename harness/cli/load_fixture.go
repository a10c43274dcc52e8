package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/topology"
)

const fixtureLong = `Installs one topology, provisions its tenants the way Rails does, leaves it running, and writes the load
generator's fixture to standard output: where the active OpenBao is in the cluster, which secrets there are, the digests
of their values, and tokens of jobs that may read them. perf/README.md describes the document.

It holds tokens, so that it goes into a pipe and to no terminal: into steamer load manifests, or into a load generator of
your own. The tokens end after --token-ttl. Messages go to standard error. Remove the cluster with make down.`

// Limits of how long tokens that leave Steamer may be good.
const (
	defaultTTL = time.Hour
	maxTTL     = 24 * time.Hour
)

func newLoadFixture(state *State) *cobra.Command {
	f := newPlanFlags(scenario.None, func(p *plan.Plan) { p.Topologies = []string{topology.CloudNative} })
	ttl := defaultTTL
	command := &cobra.Command{
		Use: "fixture", Short: "Install, provision, and write what a load generator needs to know", Long: fixtureLong,
		Args: cobra.NoArgs,
		Example: `  steamer load fixture | steamer load manifests --fixture - --image registry.example/k6-openbao:1 --tier 150 --parallelism 4
  steamer load fixture --topology cloud-native-hybrid --tenants 200 --profile steady --token-ttl 30m | my-generator`,
		RunE: func(c *cobra.Command, _ []string) error { return f.fixture(c, state, ttl) },
	}
	f.addFile(command)
	f.add(command, "Chart", bindTopology)
	f.add(command, "Chart", bindChart)
	f.add(command, "Chart", bindPrevious)
	f.add(command, "Scenarios", bindScenarios)
	addLoad(command, f)
	addFlags(command, "Load", func(set *pflag.FlagSet) {
		set.DurationVar(&ttl, "token-ttl", ttl, "how long the fixture's tokens are good, 1m to 24h")
	})
	f.add(command, "Cluster", bindCluster)
	f.add(command, "Output", bindOutput)
	names := planNames()
	names["valid"] = "token-ttl"
	oldNames(command, names)
	return command
}

// fixture runs the plan up to the load and writes the document in its place.
func (f *planFlags) fixture(c *cobra.Command, state *State, ttl time.Duration) error {
	if ttl < time.Minute || ttl > maxTTL {
		return exit.Invalidf("--token-ttl "+ttl.String(), "use 1m to 24h, little longer than the load", "it is out of range")
	}
	if session.IsTerminal(state.Stdout) && !f.dryRun {
		return exit.Invalidf("standard output", "pipe it into steamer load manifests --fixture -",
			"the fixture holds tokens, and is not printed to a terminal")
	}
	root, p, err := f.read(c, state)
	if err != nil {
		return err
	}
	if len(p.Topologies) != 1 {
		return exit.Invalidf("--topology", "name the one that is to be loaded",
			"a fixture is of one topology, and the plan has %d", len(p.Topologies))
	}
	p.Load, p.Cluster.Keep = false, true
	r, err := state.Prepare(c.Context(), root, p)
	if err != nil {
		return err
	}
	r.Stay = true
	verdicts := map[string]result.Verdict{}
	r.Measure = func(ctx context.Context, d *run.Driver) error {
		// The fixture is tokens, and who pipes it asked for them.
		if err := writeFixture(ctx, secret.Unwrap(state.Stdout), d, ttl); err != nil {
			return err
		}
		verdicts[d.Name()] = result.Pass
		return nil
	}
	messages := *state
	messages.Stdout = state.Stderr // the document is all there is on standard output
	if f.dryRun {
		messages.Stdout = state.Stdout
	}
	verdict, err := messages.Measure(c.Context(), r, p, f.dryRun, verdicts)
	return conclude(c.Context(), verdict, err)
}

func writeFixture(ctx context.Context, w io.Writer, d *run.Driver, ttl time.Duration) error {
	document, err := d.Fixture(ctx, ttl)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(document, '\n')); err != nil {
		return exit.Environmentf("standard output", "the program that was to read the fixture is gone", "%w", err)
	}
	return nil
}
