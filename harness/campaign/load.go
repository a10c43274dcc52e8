package campaign

import (
	"path/filepath"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/session"
)

// requested reads what load a plan asks for: its profile and the rate of all processes together;
// and the source tree that the profile and its scripts are in.
func requested(sess *session.Session, p plan.Plan) (root string, profile load.Profile, rate float64, err error) {
	if root, err = plan.FindRoot(sess.Root); err != nil {
		return "", profile, 0, err
	}
	tier, err := load.TierNamed(p.Tier)
	if err != nil {
		return "", profile, 0, err
	}
	path := p.Profile
	if !strings.ContainsAny(path, "/.") {
		path = filepath.Join(root, "perf/profiles", path+".yaml")
	}
	if profile, err = load.ReadProfile(path); err != nil {
		return "", profile, 0, err
	}
	rate = p.Rate
	if !(rate >= 0 && rate <= 100_000) { // NaN is neither
		return "", profile, 0, exit.Invalidf("--rate", "use 0 (the profile's) to 100000 fetches per second",
			"%g is out of range", rate)
	}
	if rate == 0 {
		rate = profile.PerSecond(tier)
	}
	return root, profile, rate, nil
}
