package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
)

func newLoad(state *State) *cobra.Command {
	command := group(&cobra.Command{
		Use: "load", Short: "Load by processes that Steamer does not start: manifests for the k6-operator, and logs merged into one result",
		Long: `For load that one machine cannot make, or that has to come from somewhere else than where Steamer is.
fixture installs and provisions a topology and writes what a load generator needs to know of it; manifests writes what
the k6-operator needs to drive a profile; merge makes one judged result of the logs of its runners, or of any k6
processes with the extension that shared one schedule.`,
	})
	command.AddCommand(newLoadFixture(state), newLoadManifests(state), newLoadMerge(state))
	return command
}

// loadFlags say how hard a load is that Steamer does not drive itself.
type loadFlags struct {
	profile, tier string
	rate          float64
}

func (f *loadFlags) bind(c *cobra.Command) {
	d := plan.Default(".")
	flags := c.Flags()
	flags.StringVar(&f.profile, "profile", d.Profile, "load profile: a name in perf/profiles or a file")
	flags.StringVar(&f.tier, "tier", d.Tier, "GitLab sizing tier, by its fetches per second: 3, 6, 12, 30, 60, 150")
	flags.Float64Var(&f.rate, "rate", 0, "fetches per second of all processes together, instead of the profile's")
}

// read returns the profile and the rate, and the source tree that the profile and its scripts are
// in.
func (f *loadFlags) read(state *State) (root string, p load.Profile, rate float64, err error) {
	if root, err = plan.FindRoot(state.root); err != nil {
		return "", p, 0, err
	}
	tier, err := load.TierNamed(f.tier)
	if err != nil {
		return "", p, 0, err
	}
	path := f.profile
	if !strings.ContainsAny(path, "/.") {
		path = filepath.Join(root, "perf/profiles", path+".yaml")
	}
	if p, err = load.ReadProfile(path); err != nil {
		return "", p, 0, err
	}
	if !(f.rate >= 0 && f.rate <= 100_000) { // NaN is neither
		return "", p, 0, exit.Invalidf("--rate", "use 0 (the profile's) to 100000 fetches per second", "%g is out of range",
			f.rate)
	}
	rate = f.rate
	if rate == 0 {
		rate = p.PerSecond(tier)
	}
	return root, p, rate, nil
}
