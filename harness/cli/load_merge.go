package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/load"
)

const mergeLong = `Merges the interval logs of k6 processes that shared one schedule, second by second and bucket by bucket: every
quantile of the merge is that of all fetches together. Logs are what --out hdr=FILE wrote, or what kubectl logs printed of a
pod that wrote it to standard output; a directory stands for the .ndjson and .log files in it.

--profile, --tier and --rate say what load was requested, as in steamer load manifests. --run-dir takes the environment's
chart, versions and observations from a run; without it, --topology and --openbao-version choose the objectives.

FAIL: a wrong value, or an objective missed. INCONCLUSIVE: a part of the schedule is missing or was done twice, a process was
killed or began more than --tolerance after the first, or any other validity condition of docs/verdict.md is missed. One
of them is that OpenBao was not observed, unless --unobserved accepts it. A log that is truncated, missing or of another
format is refused with exit code 3, and nothing is written.

Writes a run directory below --output-dir, like a run: result.json, every report, and the merged log.`

func newLoadMerge(state *State) *cobra.Command {
	f := &campaign.Merge{Output: "runs", Tolerance: load.DefaultTolerance}
	command := &cobra.Command{
		Use: "merge LOG|DIRECTORY...", Short: "Make one judged result of the logs of several load generators",
		Args: cobra.MinimumNArgs(1), Long: mergeLong,
		Example: `  steamer load merge logs/ --profile steady --tier 150 --openbao-version 2.4.0 --unobserved
  steamer load merge runner-1.log runner-2.log runner-3.log --rate 900 --run-dir runs/20261125-151000-abcd --topology cloud-native
  kubectl logs --follow steamer-load-1-x7k2p > logs/1.log      # one file for each runner, from the beginning
  steamer report runs/20261125-160000-ef01                     # the reports again`,
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
