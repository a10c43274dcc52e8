package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

func newRun(state *State) *cobra.Command {
	f := newPlanFlags(scenario.Core, nil)
	command := &cobra.Command{
		Use: "run", Aliases: []string{"perf"}, Short: "Run a plan: install, check, load, judge, report",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runPlan(c, state, f, nil) },
	}
	f.addFile(command)
	f.add(command, "Chart", bindTopology)
	f.add(command, "Chart", bindTLS)
	f.add(command, "Chart", bindChart)
	f.add(command, "Chart", bindPrevious)
	f.add(command, "Scenarios", bindScenarios)
	f.add(command, "Scenarios", bindSubject)
	f.add(command, "Scenarios", bindShards)
	addLoad(command, f)
	f.addGenerators(command)
	f.add(command, "Cluster", bindCluster)
	f.add(command, "Objectives", bindSLO)
	f.add(command, "Objectives", bindLatency)
	f.add(command, "Output", bindOutput)
	addRecordFormat(command, state)
	oldNames(command, planNames())
	return command
}

// addLoad adds the flags about the load of one profile, and what it fetches.
func addLoad(c *cobra.Command, f *planFlags) {
	for _, bind := range []func(*pflag.FlagSet, *plan.Plan){bindProfile, bindTier, bindRate, bindWorkload, bindTenants} {
		f.add(c, "Load", bind)
	}
}

// runPlan runs a plan and prints what came out. full points it at a GitLab instead of a cluster.
func runPlan(c *cobra.Command, state *State, f *planFlags, full *run.FullStack) error {
	root, p, err := f.read(c, state)
	if err != nil {
		return err
	}
	if _, err := p.Select(scenarios.All()); err != nil {
		return err
	}
	if full != nil && p.TLS {
		return exit.Invalidf("tls: true", "leave it out: the URL of that OpenBao has its scheme",
			"with --gitlab-url nothing is installed")
	}
	verdict, err := campaign.Run(c.Context(), state, root, p, full, f.dryRun)
	return conclude(c.Context(), verdict, err)
}
