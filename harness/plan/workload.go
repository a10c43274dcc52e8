package plan

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
)

// checkRate refuses what says the rate twice.
func (p Plan) checkRate() error {
	if !(p.Rate >= 0 && p.Rate <= 100000) { // NaN is neither
		return exit.Invalidf(fmt.Sprintf("--rate %g", p.Rate), "use 0 (the profile's) to 100000 fetches per second",
			"it is out of range")
	}
	switch {
	case p.Size == "" && p.Adoption != 0:
		return exit.Invalidf("--adoption", "add --size, e.g. 10k",
			"it is a share of the jobs of an instance whose size is not given")
	case p.Size != "" && p.Adoption == 0:
		return exit.Invalidf("--size "+p.Size, "add --adoption, the share of jobs that fetch secrets, e.g. 0.2",
			"the rate does not follow from the size alone")
	case p.Size != "" && p.Rate != 0:
		return exit.Invalidf(fmt.Sprintf("--rate %g", p.Rate), "leave out either",
			"--size and --adoption say the rate as well")
	}
	return nil
}

// Workload reads the profile and the rate, in fetches per second, of a load that Steamer does not
// drive itself. Errors are of code exit.Invalid.
func (p Plan) Workload(root string) (load.Profile, float64, error) {
	p.Load = false
	r := &Resolved{Plan: p}
	err := p.checkRate()
	if err == nil {
		err = r.resolveWorkload(root)
	}
	return r.Profile, r.rate(), err
}

// resolveWorkload reads the profile, lays the plan's own settings over it, and finds the rate and
// the tier.
func (r *Resolved) resolveWorkload(root string) error {
	var err error
	if r.Tier, err = load.TierNamed(r.Plan.Tier); err != nil {
		return err
	}
	if r.Size != "" {
		rate, least, err := load.Sizing(r.Size, r.Adoption)
		if err != nil {
			return err
		}
		if r.Tier.Rate < rate {
			return exit.Invalidf("--tier "+r.Tier.Name, "leave it out, or use "+least.Name+" or more",
				"--size %s --adoption %g means %g fetches per second", r.Size, r.Adoption, rate)
		}
		r.Rate = rate
	}
	path := r.Plan.Profile
	if !strings.ContainsAny(path, "/.") {
		path = filepath.Join(root, "perf/profiles", path+".yaml")
	}
	if r.Profile, err = load.ReadProfile(path); err != nil {
		return err
	}
	if r.Mode != "" && r.Mode != r.Profile.Mode {
		if r.Profile, err = r.Profile.WithMode(r.Mode); err != nil {
			hint := "use one of " + strings.Join(load.ProfileModes(), ", ")
			if r.Mode == "mixed" {
				hint = "use a profile with weights, which say how often it does what"
			}
			return exit.Invalidf("--mode "+r.Mode, hint, "profile %s: %w", r.Profile.Name, err)
		}
	}
	if r.Retries != nil {
		r.Profile.Retries = *r.Retries
	}
	if r.Rate > 0 && slices.ContainsFunc(r.Profile.Stages, func(s load.Stage) bool { return s.PerSecond != 0 }) {
		return exit.Invalidf(fmt.Sprintf("a rate of %g for profile %s", r.Rate, r.Profile.Name),
			"leave the rate out, or have the profile's stages say times instead of perSecond",
			"its stages have rates of their own")
	}
	if err := r.resolveDuration(); err != nil {
		return err
	}
	if !r.Load {
		return nil
	}
	if err := r.Profile.Fits(r.rate(), r.Tenants); err != nil {
		return exit.Invalidf("profile "+r.Profile.Name, "change the rate, the number of tenants, or the profile", "%w", err)
	}
	return nil
}

// rate is the profile's rate on this run in fetches per second.
func (r *Resolved) rate() float64 {
	if r.Rate > 0 {
		return r.Rate
	}
	return r.Profile.PerSecond(r.Tier)
}
