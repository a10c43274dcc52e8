package cli

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
)

// calibrateFlags are the flags of steamer calibrate.
type calibrateFlags struct {
	comparisonFlags
	campaign.Calibration
	effects []float64
	fromDir string
	limits  *pflag.FlagSet // what means nothing for charts
}

func newCalibrate(state *State) *cobra.Command {
	f := &calibrateFlags{comparisonFlags: newComparisonFlags()}
	f.Calibration.Comparison = f.comparisonFlags.Comparison
	command := &cobra.Command{
		Use: "calibrate", Short: "Measure how often steamer compare is wrong here, and what it can detect",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, state) },
	}
	f.addCampaign(command)
	f.addCharts(command, func(set *pflag.FlagSet) {
		set.StringVar(&f.comparisonFlags.Base, "base", "", "chart to install twice, as CHART or CHART@VALUES[,VALUES]")
	})
	f.addLocal(command, "calibrate for OpenBao processes on this machine instead of a chart on a cluster")
	f.measuring = append(f.measuring, addFlags(command, "Processes", func(set *pflag.FlagSet) {
		set.StringVar(&f.comparisonFlags.BaseConfig, "base-config", "",
			"with --local: JSON Patch (RFC 6902) of both servers' configuration")
		set.StringVar(&f.comparisonFlags.BaseBinary, "base-binary", "", "with --local: OpenBao program of both")
	}))
	f.addDesign(command)
	addFlags(command, "Judgement", func(set *pflag.FlagSet) {
		set.StringVar(&f.fromDir, "from", "",
			"directory of comparisons, or campaign.json, to judge again; nothing is driven")
		set.StringVar(&f.WriteQuarantine, "write-quarantine", "", "file for the metrics that cannot show the margin")
		set.DurationVar(&f.QuarantineFor, "quarantine-for", compare.LongestQuarantine,
			"with --write-quarantine: how long the metrics stay in quarantine, 720h (30 days) at most")
	})
	oldNames(command, comparisonNames())
	return command
}

// addCampaign adds the flags about which comparisons are made.
func (f *calibrateFlags) addCampaign(c *cobra.Command) {
	const title = "Campaign"
	f.measuring = append(f.measuring, addFlags(c, title, func(set *pflag.FlagSet) {
		set.IntVar(&f.Plan.Same, "same", 10, "comparisons of the system with itself")
		set.Float64SliceVar(&f.effects, "effect", nil, "regressions to inject, in % of the median latency, e.g. 5,10,20")
		set.IntVar(&f.Plan.Each, "each", 10, "comparisons for each effect and each limit")
		set.StringVar(&f.Resume, "resume", "", "directory of an interrupted campaign to go on with")
	}))
	f.limits = addFlags(c, title, func(set *pflag.FlagSet) {
		set.Float64SliceVar(&f.Plan.Limits, "cpu-limit", nil,
			"with --local: cores to limit the head's OpenBao to, e.g. 0.5,0.25")
	})
	f.measuring = append(f.measuring, f.limits)
}

func (f *calibrateFlags) run(c *cobra.Command, state *State) error {
	if f.QuarantineFor <= 0 || f.QuarantineFor > compare.LongestQuarantine {
		return exit.Invalidf("--quarantine-for "+f.QuarantineFor.String(), "use at most 720h, and calibrate again",
			"a quarantine holds for 30 days at most")
	}
	if f.fromDir != "" {
		if err := refuse("--from judges by the design that was measured; steamer compare --from tries another margin on one comparison",
			append(f.measuring, f.judging...)...); err != nil {
			return err
		}
		verdict, err := f.Judge(state, f.fromDir)
		return conclude(c.Context(), verdict, err)
	}
	for _, e := range f.effects {
		f.Plan.Effects = append(f.Plan.Effects, e/100)
	}
	if err := errors.Join(f.complete(), f.Plan.Check()); err != nil {
		return err
	}
	if err := f.refuseOther("only processes of this machine can be limited; add --local", f.limits); err != nil {
		return err
	}
	verdict, err := f.Calibration.Run(c.Context(), state)
	return conclude(c.Context(), verdict, err)
}
