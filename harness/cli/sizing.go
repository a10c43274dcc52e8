package cli

import (
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/sizing"
)

// sizingTier is the smallest tier whose rate reaches the published one.
const sizingTier = "150"

type sizingFlags struct {
	*planFlags
	campaign.Sizing
	local     bool
	installed []*pflag.FlagSet // what means nothing for processes
}

func newSizing(state *State) *cobra.Command {
	f := &sizingFlags{Sizing: campaign.Sizing{Options: sizing.Default()}}
	f.planFlags = newPlanFlags(scenario.None, func(p *plan.Plan) { p.Tier = sizingTier })
	command := &cobra.Command{
		Use: "sizing", Short: "Measure how OpenBao grows with tenants, beside GitLab's published numbers",
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) { return f.run(c, state) }),
	}
	o, set := &f.Options, command.Flags()
	set.IntVar(&o.MaxTenants, "max-tenants", o.MaxTenants, "largest size, 50 to 10000")
	set.DurationVar(&o.Length, "length", o.Length, "length of the measurement of fetches at each size")
	set.DurationVar(&o.Budget, "budget", o.Budget, "begin no size that would end after this time")
	set.IntVar(&o.Failovers, "failovers", o.Failovers, "disturbances of each kind at each size; the median counts")
	f.all.Lookup("rate").Usage = fmt.Sprintf("fetches per second at each size; 0 is %g", o.Rate)
	f.add(command, "Sizes", "secrets rate")
	f.installed = addInstalled(command, f.planFlags, &f.local)
	f.installed = append(f.installed, f.add(command, "Chart", "tier"), f.add(command, "Objectives", "slo"))
	f.add(command, "Output", "output-dir")
	return command
}

func (f *sizingFlags) run(c *cobra.Command, state *State) (result.Verdict, error) {
	root, p, err := f.readWithoutScenarios(c, state)
	if err != nil {
		return "", err
	}
	f.DryRun = f.dryRun
	if p.Rate > 0 {
		f.Options.Rate = p.Rate
	}
	f.Options.HostCPUs = max(1, int(math.Round(cgroup.UsableCPUs())))
	err = errors.Join(f.Options.Validate(), plan.Bound("secrets", p.Secrets, 1, 100))
	if err == nil && f.local {
		err = refuse("with --local nothing is installed", f.installed...)
	}
	if err != nil {
		return "", err
	}
	return f.Measure(c.Context(), state, root, p, f.local)
}
