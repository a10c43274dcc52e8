package cli

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Limits of how long tokens that leave Steamer may be good.
const (
	defaultTTL = time.Hour
	maxTTL     = 24 * time.Hour
)

func newLoadFixture(state *State) *cobra.Command {
	f := newPlanFlags(scenario.None, func(p *plan.Plan) { p.Topologies = []string{topology.CloudNative} })
	ttl := defaultTTL
	command := &cobra.Command{
		Use: "fixture", Short: "Install, provision, and write what a load generator needs to know",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if ttl < time.Minute || ttl > maxTTL {
				return exit.Invalidf("--token-ttl "+ttl.String(), "use 1m to 24h, little longer than the load",
					"it is out of range")
			}
			if session.IsTerminal(state.Stdout) && !f.dryRun {
				return exit.Invalidf("standard output", "pipe it into steamer load manifests --fixture -",
					"the fixture holds tokens, and is not printed to a terminal")
			}
			root, p, err := f.readWithoutScenarios(c, state)
			if err != nil {
				return err
			}
			verdict, err := campaign.Fixture(c.Context(), state, root, p, ttl, f.dryRun)
			return conclude(c.Context(), verdict, err)
		},
	}
	f.addFile(command)
	f.add(command, "Chart", bindTopology)
	f.add(command, "Chart", bindChart)
	f.add(command, "Chart", bindPrevious)
	hide(f.add(command, "Scenarios", bindScenarios)) // accepted by earlier releases
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
