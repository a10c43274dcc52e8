package cli

import (
	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

func newRun(state *State) *cobra.Command {
	f := newPlanFlags(scenario.Core, nil)
	command := &cobra.Command{
		Use: "run", Aliases: []string{"perf"}, Short: "Run a plan: install, check, load, judge, report",
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) { return runPlan(c, state, f, nil) }),
	}
	f.addFile(command)
	f.add(command, "Chart", "topology tls "+chartFlags+" previous")
	f.add(command, "Scenarios", "scenarios subject shards")
	f.add(command, "Load", loadFlags)
	f.addGenerators(command)
	f.add(command, "Cluster", clusterFlags)
	f.add(command, "Objectives", "slo environment-latency")
	f.add(command, "Output", "output-dir")
	addRecord(command, nil, "")
	return command
}

// runPlan runs a plan and prints what came out. full points it at a GitLab instead of a cluster.
func runPlan(c *cobra.Command, state *State, f *planFlags, full *run.FullStack) (result.Verdict, error) {
	root, p, err := f.read(c, state)
	if err != nil {
		return "", err
	}
	if _, err := p.Select(scenarios.All()); err != nil {
		return "", err
	}
	if full != nil && p.TLS {
		return "", exit.Invalidf("tls: true", "leave it out: the URL of that OpenBao has its scheme",
			"with --gitlab-url nothing is installed")
	}
	return campaign.Run(c.Context(), state, root, p, full, f.dryRun)
}
