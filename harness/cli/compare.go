package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

const compareLong = `Compares two systems side by side: A, the base, and B, the head. Both are up at the same time with
equal limits and databases of their own; one is driven at a time, in short slices in random ABBA
order. Each pair of slices gives a ratio B/A of every metric, and the ratios an interval (Hodges-
Lehmann, signed-rank). It ends as soon as a look decides, or with the pairs or the budget. Then
scenarios are run on both; what fails with B alone is repeated once.

  FAIL          a gate metric is more than the margin larger with B, or B is proven to fail more
                fetches, to carry less load or to restart more, or a scenario passes with A and
                fails with B
  PASS          every gate metric is less than the margin larger with B, and no fetch of B failed
  INCONCLUSIVE  the interval reaches across the margin, too little could be measured, or something
                went wrong with B that may be chance

With --local the systems are OpenBao processes whose configurations (JSON Patches) or programs
differ. Without it they are charts, each with values if it has any, installed on one cluster.
--from judges a finished comparison.json again, also with another margin.`

// compareFlags are the flags of steamer compare.
type compareFlags struct {
	local                  bool
	base, head             string // charts with values
	baseConfig, headConfig string
	baseBinary, headBinary string
	from                   string
	margin                 float64
	gate                   []string
	slice, warmup, idle    time.Duration
	budget                 time.Duration
	quarantine, output     string
	design                 compare.Design
	keepLogs, dryRun       bool
	cluster                clusterFlags
	suite                  string
	scenarios              []scenario.Scenario // selected by suite
}

func newCompare(state *State) *cobra.Command {
	f := &compareFlags{design: compare.DefaultDesign()}
	command := &cobra.Command{
		Use: "compare", Short: "Is B slower or dearer than A? Drive both in turns and judge by statistics", Long: compareLong,
		Args: cobra.NoArgs,
		Example: `  steamer compare --base openbao-1.2.3.tgz --head charts/openbao
  steamer compare --base charts/openbao --head charts/openbao@fast.yaml --margin 2 --pairs 120
  steamer compare --base charts/openbao --head charts/openbao --head-image openbao=registry.example/openbao:2.4.5
  steamer compare --local --base-config idle2.json --head-config idle8.json
  steamer compare --local --base-binary ./bao-2.4.0 --head-binary ./bao-2.4.1 --rate 500
  steamer compare --from runs/compare-20261125-160000-9f3a/comparison.json --margin 20`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c, state) },
	}
	f.designFlags(command)
	f.localFlags(command)
	flags := command.Flags()
	flags.StringVar(&f.base, "base", "", "chart of A, as CHART or CHART@VALUES[,VALUES]; CHART as in steamer run")
	flags.StringVar(&f.head, "head", "", "chart of B")
	flags.StringVar(&f.from, "from", "", "comparison.json to judge again; nothing is driven")
	flags.StringVar(&f.quarantine, "quarantine", "",
		"file of metrics that are too noisy to have to pass, as steamer calibrate --write-quarantine writes it; they can still fail")
	flags.StringVar(&f.suite, "scenarios", observing,
		"scenarios to run on both after the load: observing (those that only observe and take seconds), core, all, none, or a regular expression over IDs; "+
			"the charts are not upgraded")
	f.cluster.add(command)
	f.cluster.addImages(command)
	return command
}

// observing is what --scenarios of a comparison selects unless told otherwise.
const observing = "observing"

// selectScenarios reads --scenarios.
func (f *compareFlags) selectScenarios() (err error) {
	if f.suite == observing || f.suite == "calm" { // "calm" is the old spelling
		f.scenarios = compare.Observing(scenarios.All())
		return nil
	}
	f.scenarios, err = scenario.Select(scenarios.All(), f.suite)
	return err
}

// designFlags are those that say how to measure and judge; calibrate has them, too.
func (f *compareFlags) designFlags(command *cobra.Command) {
	flags, d := command.Flags(), &f.design
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	flags.Float64Var(&f.margin, "margin", 100*compare.DefaultMargin, "by how many % a gate metric of B may exceed A's")
	flags.StringSliceVar(&f.gate, "gate", defaultGate(),
		"metrics that decide, at most 6; NAME=15 gives one a margin of its own, in %")
	flags.Float64Var(&d.Alpha, "alpha", d.Alpha,
		"largest chance of a wrong FAIL, over all metrics and looks; and of a wrong PASS")
	flags.IntVar(&d.MaxPairs, "pairs", d.MaxPairs, "most pairs to drive, an even number")
	flags.IntVar(&d.LookEvery, "look-every", d.LookEvery, "pairs from one look to the next, an even number")
	flags.DurationVar(&f.budget, "budget", seconds(d.Budget), "time after which no more slices are begun; 0 for none")
	flags.Float64Var(&d.Rate, "rate", d.Rate, "fetches per second offered to either")
	flags.DurationVar(&f.slice, "slice", seconds(d.Slice), "measured part of a slice")
	flags.DurationVar(&f.warmup, "warmup", seconds(d.Warmup), "warm-up of every slice")
	flags.DurationVar(&f.idle, "idle", seconds(d.Idle), "pause between slices; 100ms or more with --turns")
	flags.BoolVar(&d.Turns, "turns", d.Turns,
		"with --local: one load generator drives both by turns, so that slices may be 1s long and follow one another at once")
	flags.StringVar(&d.Mode, "mode", d.Mode, "way to fetch: "+strings.Join(load.Modes(), ", "))
	flags.BoolVar(&d.Reuse, "reuse-connections", false, "keep connections between fetches, which GitLab Runner does not")
	flags.IntVar(&d.Tenants, "tenants", d.Tenants, "GitLab projects to provision on each side")
	flags.IntVar(&d.Secrets, "secrets", d.Secrets, "secrets of each project")
	flags.BoolVar(&d.BatchTokens, "batch-tokens", false,
		"let jobs' logins give batch tokens; with the service tokens of GitLab's role OpenBao before 2.6 keeps a lease in memory of every inline fetch for 15 min")
	flags.StringVar(&d.Recipe, "recipe", d.Recipe,
		"the one recipe by which projects are provisioned, e.g. two-level-jwt (default: all in turn)")
	flags.Uint64Var(&d.Seed, "seed", d.Seed, "seed of the order of the slices")
	flags.StringVar(&f.output, "output", plan.Default(".").Output,
		"directory that the directory of this comparison is made in")
	flags.BoolVar(&f.keepLogs, "keep-logs", false, "keep k6's interval log of every slice")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check everything, print the design, and stop")
}

// defaultGate writes the metrics that decide unless told otherwise as --gate does: those with a
// margin of their own say so, the others have that of --margin.
func defaultGate() []string {
	var out []string
	for _, g := range compare.DefaultGate(compare.DefaultMargin) {
		if g.Margin != compare.DefaultMargin {
			g.Name += fmt.Sprintf("=%g", 100*g.Margin)
		}
		out = append(out, g.Name)
	}
	return out
}

func (f *compareFlags) localFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.BoolVar(&f.local, "local", false, "compare OpenBao processes on this machine instead of charts on a cluster")
	flags.StringVar(&f.baseConfig, "base-config", "", "JSON Patch (RFC 6902) of A's server configuration (default: none)")
	flags.StringVar(&f.headConfig, "head-config", "", "the same for B")
	flags.StringVar(&f.baseBinary, "base-binary", "", "OpenBao program of A (default: the one Steamer builds)")
	flags.StringVar(&f.headBinary, "head-binary", "", "the same for B")
}

// complete turns the flags into a checked design.
func (f *compareFlags) complete() error {
	d := &f.design
	d.Slice, d.Warmup, d.Idle, d.Budget = f.slice.Seconds(), f.warmup.Seconds(), f.idle.Seconds(), f.budget.Seconds()
	if err := f.setGate(d); err != nil {
		return err
	}
	return errors.Join(d.Check(), d.CheckTails())
}

func (f *compareFlags) setGate(d *compare.Design) error {
	d.GateMetrics = nil
	for _, entry := range f.gate {
		name, own, has := strings.Cut(entry, "=")
		g := compare.GateMetric{Name: name, Margin: f.margin / 100}
		if has {
			percent, err := strconv.ParseFloat(own, 64)
			if err != nil {
				return exit.Invalidf("--gate "+entry, "write METRIC=PERCENT, e.g. fetch_p95_ms=15", "%q is not a number", own)
			}
			g.Margin = percent / 100
		}
		d.GateMetrics = append(d.GateMetrics, g)
	}
	return nil
}

func (f *compareFlags) run(ctx context.Context, c *cobra.Command, state *State) error {
	quarantine, err := compare.ReadQuarantine(f.quarantine)
	if err != nil {
		return err
	}
	if f.from != "" {
		return f.judgeAgain(c, state, quarantine)
	}
	if err := errors.Join(f.complete(), f.selectScenarios()); err != nil {
		return err
	}
	if f.local {
		return f.runLocal(ctx, c, state, quarantine)
	}
	return f.runCluster(ctx, c, state, quarantine)
}

// measuring are the flags that say what to measure and how, and so mean nothing for what is
// measured.
func measuring() []string {
	return slices.Concat(clusterOnly(), []string{
		"pairs", "budget", "rate", "slice", "warmup", "idle", "turns", "mode", "reuse-connections", "tenants", "secrets",
		"batch-tokens", "recipe", "seed",
		"keep-logs", "dry-run", "local", "base", "base-config", "base-binary", "head", "head-config", "head-binary",
		"scenarios", "output",
	})
}

// judgeAgain judges a finished comparison by its own design, but for what flags change.
func (f *compareFlags) judgeAgain(c *cobra.Command, state *State, q *compare.Quarantine) error {
	if err := refuse(c, "--from judges what was measured; it measures nothing", measuring()...); err != nil {
		return err
	}
	old, err := compare.ReadFile(f.from)
	if err != nil {
		return err
	}
	changed := slices.ContainsFunc([]string{"margin", "gate", "alpha", "look-every"}, c.Flags().Changed)
	if c.Flags().Changed("margin") || c.Flags().Changed("gate") {
		if !c.Flags().Changed("gate") {
			f.gate = nil
			for _, g := range old.Design.GateMetrics {
				f.gate = append(f.gate, g.Name)
			}
		}
		if err := f.setGate(&old.Design); err != nil {
			return err
		}
	}
	if c.Flags().Changed("alpha") {
		old.Design.Alpha = f.design.Alpha
	}
	if c.Flags().Changed("look-every") {
		old.Design.LookEvery = f.design.LookEvery
	}
	if err := old.Design.Check(); err != nil {
		return err
	}
	compare.Judge(old, q)
	if err := report.ComparisonText(state.Stdout, old); err != nil {
		return err
	}
	if changed {
		fmt.Fprintln(state.Stdout, "Judged with other settings than it was planned with: the error rates hold only for settings chosen before.")
	}
	return concludeVerdict(old.Verdict)
}

// concludeVerdict turns a verdict into the exit code.
func concludeVerdict(v result.Verdict) error {
	switch v {
	case result.Pass:
		return nil
	case result.Fail:
		return verdictError(exit.Fail)
	default:
		return verdictError(exit.Inconclusive)
	}
}

// workDirectory makes the directory of one comparison, with one for k6's logs in it.
func (f *compareFlags) workDirectory(kind, id string) (dir, logs string, err error) {
	dir = filepath.Join(f.output, kind+"-"+id)
	logs = filepath.Join(dir, "slices")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return "", "", exit.Invalidf("--output "+f.output, "name a directory that can be written", "%w", err)
	}
	return dir, logs, nil
}
