package cli

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
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
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) { return f.run(c, state) }),
	}
	base, set := f.comparisonFlags.Comparison, command.Flags()
	set.IntVar(&f.Plan.Same, "same", 10, "comparisons of the system with itself")
	set.Float64SliceVar(&f.effects, "effect", nil, "regressions to inject, in % of the median latency, e.g. 5,10,20")
	set.IntVar(&f.Plan.Each, "each", 10, "comparisons for each effect and each limit")
	set.StringVar(&f.Resume, "resume", "", "directory of an interrupted campaign to go on with")
	f.measuring = append(f.measuring, under(command, "Campaign"))
	set.Float64SliceVar(&f.Plan.Limits, "cpu-limit", nil,
		"with --local: cores to limit the head's OpenBao to, e.g. 0.5,0.25")
	f.limits = under(command, "Campaign")
	set.StringVar(&base.Base, "base", "", "chart to install twice, as CHART or CHART@VALUES[,VALUES]")
	f.addCharts(command)
	set.BoolVar(&base.Local, "local", false,
		"calibrate for OpenBao processes on this machine instead of a chart on a cluster")
	set.StringVar(&base.BaseConfig, "base-config", "",
		"with --local: JSON Patch (RFC 6902) of both servers' configuration")
	set.StringVar(&base.BaseBinary, "base-binary", "", "with --local: OpenBao program of both")
	f.measuring = append(f.measuring, f.limits, under(command, "Processes"))
	f.addDesign(command)
	set.StringVar(&f.fromDir, "from", "", "directory of comparisons, or campaign.json, to judge again; nothing is driven")
	set.StringVar(&f.WriteQuarantine, "write-quarantine", "", "file for the metrics that cannot show the margin")
	set.DurationVar(&f.QuarantineFor, "quarantine-for", compare.LongestQuarantine,
		"with --write-quarantine: how long the metrics stay in quarantine, 720h (30 days) at most")
	under(command, "Judgement")
	return command
}

func (f *calibrateFlags) run(c *cobra.Command, state *State) (result.Verdict, error) {
	if f.QuarantineFor <= 0 || f.QuarantineFor > compare.LongestQuarantine {
		return "", exit.Invalidf("--quarantine-for "+f.QuarantineFor.String(), "use at most 720h, and calibrate again",
			"a quarantine holds for 30 days at most")
	}
	if f.fromDir != "" {
		if err := refuse("--from judges by the design that was measured; "+
			"steamer compare --from tries another margin on one comparison",
			append(f.measuring, f.judging)...); err != nil {
			return "", err
		}
		return f.Judge(state, f.fromDir)
	}
	for _, e := range f.effects {
		f.Plan.Effects = append(f.Plan.Effects, e/100)
	}
	if err := errors.Join(f.complete(), f.Plan.Check()); err != nil {
		return "", err
	}
	if err := f.refuseOther("only processes of this machine can be limited; add --local", f.limits); err != nil {
		return "", err
	}
	return f.Calibration.Run(c.Context(), state)
}
