package cli

import (
	"cmp"
	"errors"
	"math"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/capacity"
	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// capacityFlags are the flags of steamer capacity.
type capacityFlags struct {
	*planFlags
	campaign.Capacity
	local     bool
	installed []*pflag.FlagSet // what means nothing for processes
	limits    *pflag.FlagSet   // what means nothing for a chart
}

func newCapacity(state *State) *cobra.Command {
	f := &capacityFlags{Capacity: campaign.Capacity{Options: capacity.Default()}}
	f.planFlags = newPlanFlags(scenario.None, func(p *plan.Plan) { p.Tier = f.Options.Tier })
	command := &cobra.Command{
		Use: "capacity", Short: "Find the highest rate of fetches that holds the objectives, and what limits it",
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) { return f.run(c, state) }),
	}
	o, set := &f.Options, command.Flags()
	set.Float64Var(&f.CPUs, "openbao-cpus", 0,
		"with --local: CPU limit of OpenBao in cores, a CFS quota as a container has; 0 is none")
	f.limits = under(command, "Where")
	set.StringVar(&o.Mode, "mode", o.Mode, "way to fetch: "+strings.Join(load.Modes(), ", "))
	set.BoolVar(&o.Reuse, "keep-alive", false, "keep connections; GitLab Runner opens one per job")
	set.Float64Var(&o.Start, "start", o.Start, "first rate, in fetches per second")
	set.Float64Var(&o.Max, "max", o.Max, "highest rate to try, in fetches per second")
	set.Float64Var(&o.Resolution, "resolution", o.Resolution,
		"stop the search when the bracket is narrower than this share of the rate, 0.01 to 0.5")
	set.DurationVar(&o.Warmup, "warmup", o.Warmup, "warm-up of each run")
	set.DurationVar(&o.Trial, "trial", o.Trial, "length of a run of the search")
	set.DurationVar(&o.Confirm, "confirm", o.Confirm, "length of a run that confirms the candidate")
	set.IntVar(&o.Confirmations, "confirmations", o.Confirmations, "runs that confirm the candidate, 3 or more")
	set.Float64Var(&o.AtLeast, "at-least", 0, "FAIL when the capacity is below this rate")
	under(command, "Search")
	f.add(command, "Objectives", "tier slo")
	f.add(command, "Search", "tenants secrets")
	f.installed = addInstalled(command, f.planFlags, &f.local)
	f.add(command, "Output", "output-dir")
	return command
}

// addInstalled adds --local, and the flags about a chart and its cluster that mean nothing with
// it; hidden are those that earlier releases accepted.
func addInstalled(c *cobra.Command, f *planFlags, local *bool) []*pflag.FlagSet {
	c.Flags().BoolVar(local, "local", false, "OpenBao and PostgreSQL as processes of this machine instead of on a cluster")
	under(c, "Where")
	file, _ := f.addFile(c)
	previous := f.add(c, "Chart", "previous")
	hide(previous)
	hide(f.add(c, "Chart", "scenarios environment-latency"))
	hide(f.addGenerators(c))
	return []*pflag.FlagSet{
		file, previous, f.add(c, "Chart", "topology "+chartFlags), f.add(c, "Cluster", clusterFlags),
	}
}

func (f *capacityFlags) run(c *cobra.Command, state *State) (result.Verdict, error) {
	root, p, err := f.readWithoutScenarios(c, state)
	if err != nil {
		return "", err
	}
	f.DryRun = f.dryRun
	f.Options.Tier, f.Options.HostCPUs = p.Tier, max(1, int(math.Round(cgroup.UsableCPUs())))
	if f.Options.SLO, err = judge.ReadSLO(p.SLO); err != nil {
		return "", err
	}
	if f.local {
		err = errors.Join(refuse("with --local nothing is installed", f.installed...),
			plan.Bound("tenants", p.Tenants, 1, 10000), plan.Bound("secrets", p.Secrets, 1, 100))
	} else {
		err = refuse("only --local can limit processes; a chart's limits are the tier's", f.limits)
	}
	if err := cmp.Or(f.Options.Validate(), err); err != nil {
		return "", err
	}
	return f.Measure(c.Context(), state, root, p, f.local)
}
