package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/plan"
)

func newLoad(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "load", Short: "Drive load from elsewhere: manifests for the k6-operator, and logs merged into one result",
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
