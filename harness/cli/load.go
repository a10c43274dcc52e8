package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/source"
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

// loadFlags say how hard a load is that Steamer does not drive itself.
type loadFlags struct{ plan plan.Plan }

func (f *loadFlags) add(c *cobra.Command) {
	f.plan = plan.Default(".")
	addFlags(c, "Load", func(set *pflag.FlagSet) {
		bindProfile(set, &f.plan)
		bindTier(set, &f.plan)
		set.Float64Var(&f.plan.Rate, "rate", 0, "fetches per second of all processes together, instead of the profile's")
	})
}

// read returns the profile and the rate, and the source tree that the profile and its scripts are
// in.
func (f *loadFlags) read(state *State) (root string, p load.Profile, rate float64, err error) {
	if root, err = source.Find(state.Root); err != nil {
		return "", p, 0, err
	}
	tier, err := load.TierNamed(f.plan.Tier)
	if err != nil {
		return "", p, 0, err
	}
	path := f.plan.Profile
	if !strings.ContainsAny(path, "/.") {
		path = filepath.Join(root, "perf/profiles", path+".yaml")
	}
	if p, err = load.ReadProfile(path); err != nil {
		return "", p, 0, err
	}
	rate = f.plan.Rate
	if !(rate >= 0 && rate <= 100_000) { // NaN is neither
		return "", p, 0, exit.Invalidf("--rate", "use 0 (the profile's) to 100000 fetches per second", "%g is out of range",
			rate)
	}
	if rate == 0 {
		rate = p.PerSecond(tier)
	}
	return root, p, rate, nil
}
