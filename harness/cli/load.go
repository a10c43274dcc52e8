package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/plan"
)

func newLoad(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "load", Short: "Drive load from elsewhere: manifests for the k6-operator, and logs merged into one result",
		Long: `For load that one machine cannot make, or that has to come from somewhere else than where Steamer is.
fixture installs and provisions a topology and writes what a load generator needs to know of it; manifests writes what
the k6-operator needs to drive a profile; merge makes one judged result of the logs of its runners, or of any k6
processes with the extension that shared one schedule.`,
		Example: `  steamer load fixture | steamer load manifests --fixture - --image registry.example/k6-openbao:1 --tier 150
  steamer load merge logs/ --tier 150 --openbao-version 2.4.0 --unobserved`,
	}, newLoadFixture(state), newLoadManifests(state), newLoadMerge(state))
}

// addForeignLoad adds how hard a load is that Steamer does not drive itself.
func addForeignLoad(c *cobra.Command, p *plan.Plan) {
	*p = plan.Default(".")
	addFlags(c, "Load", func(set *pflag.FlagSet) {
		bindProfile(set, p)
		bindTier(set, p)
		set.Float64Var(&p.Rate, "rate", p.Rate, "fetches per second of all processes together, instead of the profile's")
	})
}
