package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
)

// gateFlags are the flags of steamer gate.
type gateFlags struct {
	*planFlags
	campaign.Gate
	from    []string
	compare bool
	working []*pflag.FlagSet // what means nothing where nothing is run
}

func newGate(state *State) *cobra.Command {
	f := &gateFlags{planFlags: newPlanFlags(scenario.All, nil)}
	f.Gate = campaign.Gate{Mutants: "sample", Require: gate.DefaultRequired()}
	command := &cobra.Command{
		Use: "gate [EVIDENCE...]", Short: "Decide whether a chart may be released",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, state, args) },
	}
	f.addDecision(command)
	file, dryRun := f.addFile(command)
	f.add(command, "Chart", bindTopology)
	f.add(command, "Chart", bindPrevious)
	f.working = append(f.working, file, dryRun, f.add(command, "Chart", bindChart))
	f.add(command, "Scenarios", bindScenarios)
	f.add(command, "Scenarios", bindShards)
	f.add(command, "Load", bindTier)
	f.working = append(f.working, f.add(command, "Load", bindProfile), f.add(command, "Load", bindRate),
		f.add(command, "Load", bindWorkload), f.add(command, "Load", bindTenants), f.addGenerators(command),
		f.add(command, "Cluster", bindCluster))
	f.add(command, "Objectives", bindSLO)
	f.working = append(f.working, f.add(command, "Objectives", bindLatency))
	f.add(command, "Output", bindOutput)
	addRecordFormat(command, state)
	oldNames(command, planNames())
	return command
}

// addDecision adds the flags about evidence and what is required of it.
func (f *gateFlags) addDecision(c *cobra.Command) {
	addFlags(c, "Decision", func(set *pflag.FlagSet) {
		set.StringArrayVar(&f.from, "from", nil,
			"judge finished work and run nothing: a run directory or a file; repeatable, and more may follow as arguments")
		set.StringSliceVar(&f.Require, "require", f.Require, "criteria that have to be met: "+
			strings.Join(gate.Criteria(), ", ")+"; +NAME adds one to the default, -NAME takes one away")
		set.StringVar(&f.Quarantine, "quarantine", "", "file of metrics too noisy to have to pass in a comparison, "+
			"as steamer calibrate --write-quarantine writes it; they can still fail")
		set.StringVar(&f.Baseline, "baseline", "", "file of findings that the static checks may have, "+
			"as steamer charts check --write-baseline writes it, and of failures that scenarios about the chart may have")
	})
	f.working = append(f.working, addFlags(c, "Decision", func(set *pflag.FlagSet) {
		set.StringArrayVar(&f.With, "with", nil,
			"further evidence beside what the gate runs itself, such as comparison.json; repeatable")
		set.StringVar(&f.Mutants, "mutants", f.Mutants,
			"mutants to try: none, local (no cluster, two minutes), sample (also ten of charts, drawn) or all (an hour)")
		set.Uint64Var(&f.Seed, "mutants-seed", 0,
			"seed by which the sample of mutants is drawn, as mutants.json records it (default: a new one)")
		set.BoolVar(&f.compare, "compare", true, "compare the chart with --previous, unless --with has a comparison")
	}))
}

func (f *gateFlags) run(c *cobra.Command, state *State, args []string) error {
	given := c.Flags().Changed
	if len(f.from) > 0 {
		if err := refuse("with --from nothing is run", f.working...); err != nil {
			return err
		}
		verdict, err := f.Judge(state, slices.Concat(f.from, args), f.question(given), f.plan.Output)
		return conclude(c.Context(), verdict, err)
	}
	if len(args) > 0 {
		return exit.Invalidf(strings.Join(args, " "), "name finished work with --from",
			"steamer gate takes no arguments without --from")
	}
	f.Uncompared, f.Compared = !f.compare, f.compare && given("compare")
	root, p, err := f.read(c, state)
	if err != nil {
		return err
	}
	verdict, err := f.Run(c.Context(), state, root, p, f.dryRun)
	return conclude(c.Context(), verdict, err)
}

// question is what flags ask of finished work.
func (f *gateFlags) question(given func(string) bool) campaign.Question {
	q := campaign.Question{}
	if given("slo") {
		q.SLO = f.plan.SLO
	}
	if given("tier") {
		q.Tier = f.plan.Tier
	}
	if given("scenarios") {
		q.Scenarios = f.plan.Scenarios
	}
	if given("previous") {
		q.Previous = f.plan.Previous
	}
	if given("require") {
		q.Require = f.Require
	}
	if given("topology") {
		q.Topologies = append([]string{}, f.plan.Topologies...)
		if slices.Equal(q.Topologies, []string{"all"}) {
			q.Topologies = topology.Names()
		}
	}
	return q
}
