package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
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
		Use: "gate [EVIDENCE...]", Short: "Decide whether a chart may be released", Args: cobra.ArbitraryArgs,
		RunE: judged(func(c *cobra.Command, args []string) (result.Verdict, error) { return f.run(c, state, args) }),
	}
	f.addDecision(command)
	file, dryRun := f.addFile(command)
	f.add(command, "Chart", "topology previous")
	f.working = append(f.working, file, dryRun, f.add(command, "Chart", chartFlags))
	f.add(command, "Scenarios", "scenarios shards")
	f.add(command, "Load", "tier")
	f.working = append(f.working, f.add(command, "Load", "profile rate "+workloadFlags+" tenants secrets"),
		f.addGenerators(command), f.add(command, "Cluster", clusterFlags))
	f.add(command, "Objectives", "slo")
	f.working = append(f.working, f.add(command, "Objectives", "environment-latency"))
	f.add(command, "Output", "output-dir")
	addRecord(command, nil, "")
	return command
}

// addDecision adds the flags about evidence and what is required of it.
func (f *gateFlags) addDecision(c *cobra.Command) {
	set := c.Flags()
	set.StringArrayVar(&f.from, "from", nil,
		"judge finished work and run nothing: a run directory or a file; repeatable, and more may follow as arguments")
	set.StringSliceVar(&f.Require, "require", f.Require, "criteria that have to be met: "+
		strings.Join(gate.Criteria(), ", ")+"; +NAME adds one to the default, -NAME takes one away")
	set.StringVar(&f.Quarantine, "quarantine", "", "file of metrics too noisy to have to pass in a comparison, "+
		"as steamer calibrate --write-quarantine writes it; they can still fail")
	set.StringVar(&f.Baseline, "baseline", "", "file of findings that the static checks may have, "+
		"as steamer charts check --write-baseline writes it, and of failures that scenarios about the chart may have")
	under(c, "Decision")
	set.StringArrayVar(&f.With, "with", nil,
		"further evidence beside what the gate runs itself, such as comparison.json; repeatable")
	choose(set, &f.Mutants, "mutants", "",
		"mutants to try: none, local (no cluster, two minutes), sample (also ten of charts, drawn) or all (an hour)",
		campaign.MutantChoices()...)
	set.Uint64Var(&f.Seed, "mutants-seed", 0,
		"seed by which the sample of mutants is drawn, as mutants.json records it (default: a new one)")
	set.IntVar(&f.Faults, "faults", 0, "how many faults to do in each topology under load, as steamer faults does; "+
		"the criterion faults is required then")
	set.StringSliceVar(&f.FaultKinds, "fault-kinds", nil,
		"kinds of these faults, see steamer faults kinds; -NAME leaves one out (default: all that fit the chart and cluster)")
	set.BoolVar(&f.compare, "compare", true, "compare the chart with --previous, unless --with has a comparison")
	f.working = append(f.working, under(c, "Decision"))
}

func (f *gateFlags) run(c *cobra.Command, state *State, args []string) (result.Verdict, error) {
	if len(f.from) > 0 {
		if err := refuse("with --from nothing is run", f.working...); err != nil {
			return "", err
		}
		return f.Judge(state, slices.Concat(f.from, args), f.question(c), f.plan.Output)
	}
	if len(args) > 0 {
		return "", exit.Invalidf(strings.Join(args, " "), "name finished work with --from",
			"steamer gate takes no arguments without --from")
	}
	f.Uncompared, f.Compared = !f.compare, f.compare && c.Flags().Changed("compare")
	root, p, err := f.read(c, state)
	if err != nil {
		return "", err
	}
	return f.Run(c.Context(), state, root, p, f.dryRun)
}

// question is what flags ask of finished work.
func (f *gateFlags) question(c *cobra.Command) campaign.Question {
	topologies := append([]string{}, f.plan.Topologies...) // none is another question than not to ask
	if slices.Equal(topologies, []string{"all"}) {
		topologies = topology.Names()
	}
	return campaign.Question{
		SLO: given(c, "slo", f.plan.SLO), Tier: given(c, "tier", f.plan.Tier), Require: given(c, "require", f.Require),
		Scenarios: given(c, "scenarios", f.plan.Scenarios), Previous: given(c, "previous", f.plan.Previous),
		Topologies: given(c, "topology", topologies),
	}
}
