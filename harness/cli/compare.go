package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

// observing is what --scenarios of a comparison selects unless it is given.
const observing = "observing"

// comparisonFlags are those that a comparison and a calibration have.
type comparisonFlags struct {
	*campaign.Comparison
	margin              float64
	gate                []string
	slice, warmup, idle time.Duration
	budget              time.Duration

	judging   *pflag.FlagSet   // how to judge
	measuring []*pflag.FlagSet // what to measure and how
	charts    []*pflag.FlagSet // what means nothing for processes
}

// compareFlags are the flags of steamer compare.
type compareFlags struct {
	comparisonFlags
	from, quarantine, suite string
	processes               *pflag.FlagSet // what means nothing for charts
}

func newCompare(state *State) *cobra.Command {
	f := &compareFlags{comparisonFlags: newComparisonFlags(), suite: observing}
	command := &cobra.Command{
		Use: "compare", Short: "Compare the performance of two charts or servers, side by side",
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) { return f.run(c, state) }),
	}
	set := command.Flags()
	set.StringVar(&f.Base, "base", "", "chart of A, as CHART or CHART@VALUES[,VALUES]; CHART as in steamer run")
	set.StringVar(&f.Head, "head", "", "chart of B, as CHART or CHART@VALUES[,VALUES]")
	for i, name := range []string{"base", "head"} {
		set.StringArrayVar(&f.Ground.Values[i], name+"-values", nil,
			"values file of "+string("AB"[i])+" alone, over those of --values; repeatable")
		set.StringToStringVar(&f.Ground.Images[i], name+"-image", nil,
			"NAME=REFERENCE that "+string("AB"[i])+" alone gets: openbao, postgresql; the cluster pulls it")
		set.Lookup(name + "-image").DefValue = ""
	}
	f.addCharts(command)
	set.BoolVar(&f.Local, "local", false, "compare OpenBao processes on this machine instead of charts on a cluster")
	f.measuring = append(f.measuring, under(command, "Processes"))
	set.StringVar(&f.BaseConfig, "base-config", "", "JSON Patch (RFC 6902) of A's server configuration (default: none)")
	set.StringVar(&f.HeadConfig, "head-config", "", "JSON Patch (RFC 6902) of B's server configuration (default: none)")
	set.StringVar(&f.BaseBinary, "base-binary", "", "OpenBao program of A (default: the one Steamer builds)")
	set.StringVar(&f.HeadBinary, "head-binary", "", "OpenBao program of B (default: the one Steamer builds)")
	f.processes = under(command, "Processes")
	f.addDesign(command)
	set.StringVar(&f.suite, "scenarios", f.suite,
		"scenarios to run on both after the load: observing (those that only observe and take seconds), core, all, none, "+
			"or a regular expression over IDs; the charts are not upgraded")
	f.measuring = append(f.measuring, f.processes, under(command, "Scenarios"))
	set.StringVar(&f.quarantine, "quarantine", "",
		"file of metrics that are too noisy to have to pass, as steamer calibrate --write-quarantine writes it; "+
			"they can still fail")
	set.StringVar(&f.from, "from", "", "comparison.json to judge again; nothing is driven")
	under(command, "Judgement")
	addRecord(command, nil, "")
	return command
}

func newComparisonFlags() comparisonFlags {
	d := plan.Default(".")
	d.Cluster.Config = "" // the source tree's
	return comparisonFlags{
		Comparison: &campaign.Comparison{
			Design: compare.DefaultDesign(), Output: d.Output,
			Ground: campaign.Ground{Plan: d, Topology: topology.CloudNative},
		},
		margin: 100 * compare.DefaultMargin, gate: defaultGate(),
	}
}

// addCharts adds the flags about charts, and where they are.
func (f *comparisonFlags) addCharts(c *cobra.Command) {
	g := &f.Ground
	all := planSet(&g.Plan)
	for name, usage := range map[string]string{
		"dialect": strings.Replace(all.Lookup("dialect").Usage, "the chart", "both charts", 1),
		"values":  "values file for both; repeatable",
		"set":     "value for both, in helm's --set syntax, over all files; repeatable",
		"tier":    "GitLab sizing tier whose CPU and memory limits both get",
		"port":    fmt.Sprintf(chosenPort, "A"),
		"image": "NAME=REFERENCE to use on both sides instead of the image Steamer builds: " +
			"openbao, postgresql, gitlab-stub",
	} {
		all.Lookup(name).Usage = usage
	}
	f.charts = append(f.charts, pick(c, all, "Charts", "dialect values set"))
	c.Flags().StringVar(&g.Topology, "topology", g.Topology, "topology of both: "+strings.Join(topology.Names(), " or "))
	f.charts = append(f.charts, pick(c, all, "Charts", "tier"), pick(c, all, "Cluster", kindFlags))
	c.Flags().IntVar(&g.SecondPort, "second-port", 0, fmt.Sprintf(chosenPort, "B"))
	f.charts = append(f.charts, pick(c, all, "Cluster", "image"))
	f.measuring = append(f.measuring, f.charts...)
}

// addDesign adds the flags that say how to measure and judge.
func (f *comparisonFlags) addDesign(c *cobra.Command) {
	d, set := &f.Design, c.Flags()
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	set.Float64Var(&f.margin, "margin", f.margin, "by how many % a gate metric of B may exceed A's")
	set.StringSliceVar(&f.gate, "gate", f.gate,
		"metrics that decide, at most 6; NAME=15 gives one a margin of its own, in %")
	set.Float64Var(&d.Alpha, "alpha", d.Alpha,
		"largest chance of a wrong FAIL, over all metrics and interim analyses; and of a wrong PASS")
	set.IntVar(&d.InterimEvery, "interim-every", d.InterimEvery,
		"pairs from one interim analysis to the next, an even number")
	f.judging = under(c, "Judgement")
	set.IntVar(&d.MaxPairs, "pairs", d.MaxPairs, "most pairs to drive, an even number")
	set.DurationVar(&f.budget, "budget", seconds(d.Budget), "time after which no more slices are begun; 0 for none")
	set.Float64Var(&d.Rate, "rate", d.Rate, "fetches per second offered to either")
	set.DurationVar(&f.slice, "slice", seconds(d.Slice), "measured part of a slice")
	set.DurationVar(&f.warmup, "warmup", seconds(d.Warmup), "warm-up of every slice")
	set.DurationVar(&f.idle, "idle", seconds(d.Idle), "pause between slices; 100ms or more with --turns")
	set.BoolVar(&d.Turns, "turns", d.Turns, "with --local: one load generator drives both by turns, "+
		"so that slices may be 1s long and follow one another at once")
	set.StringVar(&d.Mode, "mode", d.Mode, "way to fetch: "+strings.Join(load.Modes(), ", "))
	set.BoolVar(&d.Reuse, "reuse-connections", false, "keep connections between fetches, which GitLab Runner does not")
	set.IntVar(&d.Tenants, "tenants", d.Tenants, "GitLab projects to provision on each side")
	set.IntVar(&d.Secrets, "secrets", d.Secrets, "secrets of each project")
	set.BoolVar(&d.BatchTokens, "batch-tokens", false, "let jobs' logins give batch tokens; "+
		"with the service tokens of GitLab's role, OpenBao before 2.6 keeps a lease of every inline fetch "+
		"in memory for 15 min")
	set.StringVar(&d.Recipe, "recipe", d.Recipe,
		"the one recipe by which projects are provisioned, e.g. two-level-jwt (default: all in turn)")
	set.Uint64Var(&d.Seed, "seed", d.Seed, "seed of the order of the slices")
	set.BoolVar(&f.DryRun, "dry-run", false, "check everything, print the design, and stop")
	f.measuring = append(f.measuring, under(c, "Measurement"))
	set.StringVar(&f.Output, "output-dir", f.Output, "directory that the directory of this comparison is made in")
	set.BoolVar(&f.KeepLogs, "keep-logs", false, "keep k6's interval log of every slice")
	f.measuring = append(f.measuring, under(c, "Output"))
}

// defaultGate writes the metrics that decide unless --gate is given as --gate does: those with a
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

// complete turns the flags into a checked design.
func (f *comparisonFlags) complete() error {
	d := &f.Design
	d.Slice, d.Warmup, d.Idle, d.Budget = f.slice.Seconds(), f.warmup.Seconds(), f.idle.Seconds(), f.budget.Seconds()
	if err := f.setGate(d); err != nil {
		return err
	}
	return errors.Join(d.Check(), d.CheckTails())
}

func (f *comparisonFlags) setGate(d *compare.Design) error {
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

func (f *compareFlags) run(c *cobra.Command, state *State) (verdict result.Verdict, err error) {
	if f.Quarantine, err = compare.ReadQuarantine(f.quarantine); err != nil {
		return "", err
	}
	if f.from != "" {
		return f.judgeAgain(c, state)
	}
	if err := errors.Join(f.complete(), f.selectScenarios()); err != nil {
		return "", err
	}
	if err := f.refuseOther("it belongs to --local; values change charts", f.processes); err != nil {
		return "", err
	}
	return f.Run(c.Context(), state)
}

// refuseOther refuses flags about charts with --local, and without it those about processes alone.
func (f *comparisonFlags) refuseOther(why string, processes *pflag.FlagSet) error {
	if f.Local {
		return refuse("with --local no chart is installed", f.charts...)
	}
	return refuse(why, processes)
}

// selectScenarios reads --scenarios.
func (f *compareFlags) selectScenarios() (err error) {
	if f.suite == observing || f.suite == "calm" { // "calm" is the old spelling
		f.Scenarios = compare.Observing(scenarios.All())
		return nil
	}
	f.Scenarios, err = scenario.Select(scenarios.All(), f.suite)
	return err
}

// judgeAgain judges a finished comparison by its own design, but for what flags change.
func (f *compareFlags) judgeAgain(c *cobra.Command, state *State) (result.Verdict, error) {
	if err := refuse("--from judges what was measured, and measures nothing", f.measuring...); err != nil {
		return "", err
	}
	old, err := compare.ReadFile(f.from)
	if err != nil {
		return "", err
	}
	given := c.Flags().Changed
	if given("margin") && !given("gate") {
		f.gate = nil
		for _, g := range old.Design.GateMetrics {
			f.gate = append(f.gate, g.Name)
		}
	}
	if given("margin") || given("gate") {
		err = f.setGate(&old.Design)
	}
	if given("alpha") {
		old.Design.Alpha = f.Design.Alpha
	}
	if given("interim-every") {
		old.Design.InterimEvery = f.Design.InterimEvery
	}
	if err := cmp.Or(err, old.Design.Check()); err != nil {
		return "", err
	}
	compare.Judge(old, f.Quarantine)
	if err := session.Print(state, old, compare.Encode, func(w io.Writer) error {
		return report.ComparisonText(w, old)
	}); err != nil {
		return "", err
	}
	if refuse("", f.judging) != nil {
		fmt.Fprintln(state.Aside(), "Judged with other settings than it was planned with: "+
			"the error rates hold only for settings chosen before.")
	}
	return old.Verdict, nil
}
