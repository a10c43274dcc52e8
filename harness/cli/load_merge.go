package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/load"
)

func newLoadMerge(state *State) *cobra.Command {
	f := &campaign.Merge{Output: "runs", Tolerance: load.DefaultTolerance}
	command := &cobra.Command{
		Use: "merge LOG|DIRECTORY...", Short: "Make one judged result of the logs of several load generators",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			verdict, err := f.Run(state, args)
			return conclude(c.Context(), verdict, err)
		},
	}
	addForeignLoad(command, &f.Plan)
	addFlags(command, "Environment under test", func(set *pflag.FlagSet) {
		set.StringVar(&f.RunDir, "run-dir", "", "run directory or result.json of the environment under test")
		set.StringVar(&f.Topology, "topology", "",
			"topology of the run of --run-dir (default: its only one); without --run-dir: of the objectives (default: cloud-native)")
		set.StringVar(&f.OpenBao, "openbao-version", "",
			"without --run-dir: version of OpenBao, which chooses the objectives")
		set.StringVar(&f.Chart, "chart-version", "", "without --run-dir: version of the chart")
		set.StringVar(&f.Target, "target", "", "where the load went, for the record")
	})
	addFlags(command, "Objectives", func(set *pflag.FlagSet) {
		set.DurationVar(&f.Tolerance, "tolerance", f.Tolerance,
			"how much later than the first process another may begin, 0s to 1m")
		set.BoolVar(&f.Unobserved, "unobserved", false, "judge although nothing observed OpenBao: restarts and its CPU "+
			"stay unknown. steamer gate does not accept that")
		f.Plan.SLO = ""
		bindSLO(set, &f.Plan)
		bindLatency(set, &f.Plan)
	})
	addFlags(command, "Output", func(set *pflag.FlagSet) {
		set.StringVar(&f.Output, "output-dir", f.Output, "directory that the run directory is made in")
	})
	oldNames(command, map[string]string{"of": "run-dir", "openbao": "openbao-version", "output": "output-dir"})
	return command
}
