package cli

import (
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/topology"
)

func newLoad(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "load", Short: "Drive load from elsewhere: manifests for the k6-operator, and logs merged into one result",
	}, newLoadFixture(state), newLoadManifests(state), newLoadMerge(state))
}

// Limits of how long tokens that leave Steamer may be good.
const (
	defaultTTL = time.Hour
	maxTTL     = 24 * time.Hour
)

func newLoadFixture(state *State) *cobra.Command {
	f := newPlanFlags(scenario.None, func(p *plan.Plan) { p.Topologies = []string{topology.CloudNative} })
	var ttl time.Duration
	command := &cobra.Command{
		Use: "fixture", Short: "Install, provision, and write what a load generator needs to know",
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) {
			if ttl < time.Minute || ttl > maxTTL {
				return "", exit.Invalidf("--token-ttl "+ttl.String(), "use 1m to 24h, little longer than the load",
					"it is out of range")
			}
			if session.IsTerminal(state.Stdout) && !f.dryRun {
				return "", exit.Invalidf("standard output", "pipe it into steamer load manifests --fixture -",
					"the fixture holds tokens, and is not printed to a terminal")
			}
			root, p, err := f.readWithoutScenarios(c, state)
			if err != nil {
				return "", err
			}
			return campaign.Fixture(c.Context(), state, root, p, ttl, f.dryRun)
		}),
	}
	f.addFile(command)
	f.add(command, "Chart", "topology "+chartFlags+" previous")
	hide(f.add(command, "Scenarios", "scenarios")) // accepted by earlier releases
	f.add(command, "Load", loadFlags)
	command.Flags().DurationVar(&ttl, "token-ttl", defaultTTL, "how long the fixture's tokens are good, 1m to 24h")
	under(command, "Load")
	f.add(command, "Cluster", clusterFlags)
	f.add(command, "Output", "output-dir")
	return command
}

// addForeignLoad adds how hard a load is that Steamer does not drive itself, and returns the flags
// of its whole plan.
func addForeignLoad(c *cobra.Command, p *plan.Plan) *planFlags {
	*p = plan.Default(".")
	p.SLO = "" // the source tree's
	f := &planFlags{all: planSet(p)}
	f.all.Lookup("rate").Usage = "fetches per second of all processes together, instead of the profile's"
	f.add(c, "Load", "profile tier rate")
	return f
}

func newLoadManifests(state *State) *cobra.Command {
	f := &campaign.Manifests{}
	command := &cobra.Command{
		Use: "manifests", Short: "Write a TestRun of the k6-operator, with its ConfigMap and Secret",
		RunE: func(c *cobra.Command, _ []string) error { return f.Write(state, c.InOrStdin()) },
	}
	addForeignLoad(command, &f.Plan)
	set := command.Flags()
	set.StringVar(&f.Fixture, "fixture", "", "file with the load generator's fixture; - is standard input")
	set.StringVar(&f.Target, "target", "", "URL at which the pods reach OpenBao (default: the fixture's)")
	under(command, "Target")
	set.StringVar(&f.Image, "image", "", "image with k6 and the extension")
	bindGenerators(command, &f.Generators, 2, "")
	set.StringVar(&f.Name, "name", "steamer-load", "name of the TestRun, the ConfigMap and the Secret")
	set.StringVarP(&f.Namespace, "namespace", "n", "steamer-load",
		"namespace of the TestRun, the ConfigMap and the Secret, which has to be there")
	set.StringVar(&f.Output, "output-dir", "load", "directory for the manifests")
	under(command, "Output")
	return command
}

func newLoadMerge(state *State) *cobra.Command {
	f := &campaign.Merge{}
	command := &cobra.Command{
		Use: "merge LOG|DIRECTORY...", Short: "Make one judged result of the logs of several load generators",
		Args: cobra.MinimumNArgs(1),
		RunE: judged(func(_ *cobra.Command, args []string) (result.Verdict, error) { return f.Run(state, args) }),
	}
	plans, set := addForeignLoad(command, &f.Plan), command.Flags()
	set.StringVar(&f.RunDir, "run-dir", "", "run directory or result.json of the environment under test")
	set.StringVar(&f.Topology, "topology", "",
		"topology of the run of --run-dir (default: its only one); "+
			"without --run-dir: of the objectives (default: cloud-native)")
	set.StringVar(&f.OpenBao, "openbao-version", "", "without --run-dir: version of OpenBao, which chooses the objectives")
	set.StringVar(&f.Chart, "chart-version", "", "without --run-dir: version of the chart")
	set.StringVar(&f.Target, "target", "", "where the load went, for the record")
	under(command, "Environment under test")
	set.DurationVar(&f.Tolerance, "tolerance", load.DefaultTolerance,
		"how much later than the first process another may begin, 0s to 1m")
	set.BoolVar(&f.Unobserved, "unobserved", false, "judge although nothing observed OpenBao: restarts and its CPU "+
		"stay unknown. steamer gate does not accept that")
	plans.add(command, "Objectives", "slo environment-latency")
	set.StringVar(&f.Output, "output-dir", "runs", "directory that the run directory is made in")
	under(command, "Output")
	return command
}
