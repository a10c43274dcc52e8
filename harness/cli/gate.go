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

const gateLong = `One decision on a release: may this chart be shipped? Checks the chart without a cluster, runs the whole suite and
the load of the tier in both topologies, compares the chart with its previous release, tries the mutants that need
no cluster, and judges all of it by criteria: static checks, known defects, complete runs, the functional suite, the
objectives, hygiene; the comparison, the mutants and --faults where they say something.

The comparison has the chart and the release before it (--previous; that of charts/openbao is known) side by side on
a cluster of their own in the first topology, with the same values, as steamer compare does: 12 pairs of slices in 3
minutes, at most 36. It asks whether the median fetch and OpenBao's CPU per fetch are less than 10 % larger, and p95
less than 25 %. A regression close to that margin may not be detected. Any failed fetch of the chart keeps it from a
PASS. Both run one image of OpenBao. --with a comparison.json of steamer compare takes its place, with the release that
--previous declares. Made or given, it has to decide; --compare=false leaves it out.

--from judges finished work instead, offline: run directories, result.json, what charts check --format json, compare and
mutants --json wrote, histories of steamer faults on a cluster, or the gate.json of an earlier decision for all that it
rested on. The gate derives everything again that can be derived: every run is judged by the objectives, every
comparison by its pairs, every history by its operations. What is truncated, of another version or about another chart
is refused with exit code 3. --with adds such evidence to a gate that runs the rest itself.

Writes gate.json, gate.html, gate.md and gate.xml (JUnit) into a directory of their own below --output-dir.
Exit code 0: every required criterion is met and none is missed. 1: one is missed. 2: a required one could not be judged.`

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
		Use: "gate [EVIDENCE...]", Short: "Decide whether a chart may be released", Long: gateLong,
		Args: cobra.ArbitraryArgs,
		Example: `  steamer gate --profile steady --tier 12
  steamer gate --chart ./openbao-1.2.4.tgz --previous ./openbao-1.2.3.tgz --require +comparison
  steamer gate --chart ./openbao-1.2.4.tgz --with runs/compare/comparison.json --require +comparison
  steamer gate --chart ./openbao-0.12.3.tgz --baseline accepted.yaml      # with findings that have been accepted
  steamer gate --from runs/20261125-151000-abcd
  steamer gate --from runs/20261125-151000-abcd runs/compare-20261125-160000-9f3a/comparison.json --tier 12
  steamer gate --from runs/gate-20261125-160000/gate.json      # derive that decision again`,
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
		set.IntVar(&f.Faults, "faults", 0, "how many faults to do in each topology under load, as steamer faults does; "+
			"the criterion faults is required then")
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
