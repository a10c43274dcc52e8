package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
)

const gateLong = `One decision on a release: may this chart be shipped? Checks the chart without a cluster, runs the whole suite and
the load of the tier in both topologies, compares the chart with its previous release, tries the mutants that need
no cluster, and judges all of it by criteria: static checks, known defects, complete runs, the functional suite, the
objectives, hygiene; the comparison and the mutants where they say something.

The comparison has the chart and the release before it (--previous; that of charts/openbao is known) side by side on
a cluster of their own in the first topology, with the same values, as steamer compare does: 12 pairs of slices in 3
minutes, at most 36. It asks whether the median fetch and OpenBao's CPU per fetch are less than 10 % larger, and p95 less
than 25 %; a loss of just that much it cannot tell from it. Any failed fetch of the chart keeps it from a PASS. Both run one
image of OpenBao. --with a comparison.json of steamer compare takes its place, with the release that --previous declares.
Made or given, it has to decide; --compare=false leaves it out.

--from judges finished work instead, offline: run directories, result.json, what charts check --format json, compare and
mutants --json wrote, or the gate.json of an earlier decision for all that it rested on. Nothing is believed that can be
derived again: every run is judged again by the objectives, every comparison by its pairs. What is truncated, of another version or about another
chart is refused with exit code 3. --with adds such evidence to a gate that runs the rest itself.

Writes gate.json, gate.html, gate.md and gate.xml (JUnit) into a directory of their own below --output.
Exit code 0: every required criterion is met and none is missed. 1: one is missed. 2: a required one could not be judged.`

// gateFlags are the flags of steamer gate beyond those of steamer run.
type gateFlags struct {
	from, with, require []string
	quarantine          string
	baseline            string
	mutants             string
	compare             bool
}

func newGate(state *State) *cobra.Command {
	command, run := runCommand(state, scenario.All, "gate", "Decide whether a chart may be released")
	run.workload(command)
	f := &gateFlags{}
	command.Args, command.Long = cobra.ArbitraryArgs, gateLong
	command.Example = `  steamer gate --profile steady --tier 12
  steamer gate --chart ./openbao-1.2.4.tgz --previous ./openbao-1.2.3.tgz --require +comparison
  steamer gate --chart ./openbao-1.2.4.tgz --with runs/compare/comparison.json --require +comparison
  steamer gate --chart ./openbao-0.12.3.tgz --baseline accepted.yaml      # with findings that somebody has accepted
  steamer gate --from runs/20261125-151000-abcd
  steamer gate --from runs/20261125-151000-abcd runs/compare-20261125-160000-9f3a/comparison.json --tier 12
  steamer gate --from runs/gate-20261125-160000/gate.json      # derive that decision again`
	flags := command.Flags()
	flags.StringArrayVar(&f.from, "from", nil,
		"judge finished work and run nothing: a run directory or a file; repeatable, and more may follow as arguments")
	flags.StringArrayVar(&f.with, "with", nil,
		"further evidence beside what the gate runs itself, such as comparison.json; repeatable")
	flags.StringVar(&f.quarantine, "quarantine", "",
		"file of metrics too noisy to have to pass in a comparison, as steamer calibrate --write-quarantine writes it; they can still fail")
	flags.StringVar(&f.baseline, "baseline", "",
		"file of findings that the static checks may have, as steamer charts check --write-baseline writes it")
	flags.StringSliceVar(&f.require, "require", gate.DefaultRequired(),
		"criteria that have to be met: "+strings.Join(gate.Criteria(), ", ")+
			"; +NAME adds one to the default, -NAME takes one away")
	flags.StringVar(&f.mutants, "mutants", "local",
		"mutants to try: none, local (no cluster, a minute) or all (half an hour)")
	flags.BoolVar(&f.compare, "compare", true, "compare the chart with --previous, unless --with has a comparison")
	command.RunE = func(c *cobra.Command, args []string) error { return f.run(c.Context(), c, state, run, args) }
	return command
}

func (f *gateFlags) run(ctx context.Context, c *cobra.Command, state *State, run *runFlags, args []string) error {
	if f.quarantine != "" { // evidence like any other, so that gate.json names it and a decision can be derived again
		if _, err := compare.ReadQuarantine(f.quarantine); err != nil {
			return err
		}
		f.with = append(f.with, f.quarantine)
	}
	if f.baseline != "" {
		if _, err := lint.ReadBaseline(f.baseline); err != nil {
			return err
		}
		f.with = append(f.with, f.baseline)
	}
	if len(f.from) > 0 {
		return f.offline(c, state, run, slices.Concat(f.from, args, f.with))
	}
	if len(args) > 0 {
		return exit.Invalidf(strings.Join(args, " "), "name finished work with --from",
			"steamer gate takes no arguments without --from")
	}
	root, err := plan.FindRoot(state.root)
	if err != nil {
		return err
	}
	p, err := run.plan(c, root)
	if err != nil {
		return err
	}
	policy, err := f.policy(state, p.SLO, p.Tier, p.Scenarios, p.Topologies)
	if err != nil {
		return err
	}
	if policy.Previous, err = releaseAt(p.Previous); err != nil {
		return err
	}
	with, err := readAll(f.with) // found out now, and not after half an hour
	if err == nil && with != nil {
		if len(with.Comparisons) > 0 && policy.Previous == nil {
			err = exit.Invalidf("--with "+with.Comparisons[0].Path, "declare it with --previous",
				"it compares with another release, and which one came before is not declared")
		} else {
			err = policy.Admits(with)
		}
	}
	if err != nil {
		return err
	}
	if policy.Uncompared, err = f.compares(c.Flags().Changed("compare"), p, with); err != nil {
		return err
	}
	paths, dir, stop, err := f.collect(ctx, root, state, p, with, &policy, run.dryRun)
	if ctx.Err() != nil && len(paths) > 0 {
		return f.interrupted(state, policy, append(paths, f.with...), dir, p.Output, err)
	}
	if err != nil || stop {
		return err
	}
	evidence, err := gate.Read(append(paths, f.with...)...)
	if err != nil {
		return err
	}
	return f.decide(state, policy, evidence, dir, p.Output)
}

// offline judges finished work.
func (f *gateFlags) offline(c *cobra.Command, state *State, run *runFlags, paths []string) error {
	if err := onlyOffline(c); err != nil {
		return err
	}
	topologies, tier := topology.Names(), "" // the tier that the work has
	if !slices.Equal(run.topologies, []string{"all"}) {
		topologies = run.topologies
	}
	if c.Flags().Changed("tier") {
		tier = run.flagged.Tier
	}
	evidence, err := gate.Read(paths...)
	if err != nil {
		return err
	}
	suite := run.flagged.Scenarios
	if e := evidence.Earlier; e != nil { // its question again, but for what flags say otherwise
		given := c.Flags().Changed
		if !given("require") && len(e.Required()) > 0 {
			f.require = e.Required()
		}
		if !given("tier") {
			tier = e.Tier
		}
		if !given("topology") && len(e.Topologies) > 0 {
			topologies = e.Topologies
		}
		if !given("scenarios") && e.Scenarios != "" {
			suite = e.Scenarios
		}
	}
	policy, err := f.policy(state, run.flagged.SLO, tier, suite, topologies)
	if err != nil {
		return err
	}
	if policy.Previous, err = declared(state, c.Flags().Changed("previous"), run.flagged.Previous,
		evidence); err != nil {
		return err
	}
	return f.decide(state, policy, evidence, "", run.flagged.Output)
}

// decide concludes from evidence; dir is where the decision goes, or empty for a new directory
// below output.
func (f *gateFlags) decide(state *State, policy gate.Policy, evidence *gate.Evidence, dir, output string) error {
	d, err := gate.Decide(evidence, policy)
	if err != nil {
		return err
	}
	return f.conclude(state, d, dir, output)
}

// interrupted decides on what was recorded before an interrupt: a FAIL that it proves stands, and
// is written. Otherwise there is no decision, and why is what the gate ends with.
func (f *gateFlags) interrupted(state *State, policy gate.Policy, paths []string, dir, output string, why error) error {
	evidence, err := gate.Read(paths...)
	if err != nil {
		return why
	}
	d, err := gate.Decide(evidence, policy)
	if err != nil || d.Verdict != result.Fail {
		return why
	}
	d.NotJudged = append(d.NotJudged, "what came after the interrupt")
	return f.conclude(state, d, dir, output)
}

// conclude writes the decision and turns it into the process's outcome.
func (f *gateFlags) conclude(state *State, d *gate.Decision, dir, output string) error {
	d.Made, d.Steamer, d.Reproduce = time.Now().UTC(), buildVersion(), state.commandLine()
	if dir == "" {
		var err error
		if dir, err = gateDir(output, d.Made); err != nil {
			return err
		}
	}
	files := []*gate.File{d.Objectives}
	for i := range d.Evidence {
		files = append(files, &d.Evidence[i])
	}
	for _, file := range files { // the directory may move together with the runs beside it
		if abs, err := filepath.Abs(file.Path); err == nil {
			if rel, err := filepath.Rel(dir, abs); err == nil {
				file.Path = rel
			}
		}
	}
	if err := report.WriteDecision(dir, d); err != nil {
		return err
	}
	if err := report.DecisionSummary(state.Stdout, d, colourful(state.Stdout)); err != nil {
		return err
	}
	fmt.Fprintf(state.Stdout, "\nDirectory: %s\n", dir)
	return concludeVerdict(d.Verdict)
}

// gateDir makes the directory of a decision below output.
func gateDir(output string, at time.Time) (string, error) {
	if err := os.MkdirAll(output, 0o755); err != nil {
		return "", exit.Invalidf("--output "+output, "name a directory that can be written", "%w", err)
	}
	dir, err := os.MkdirTemp(output, at.Format("gate-20060102-150405-*"))
	if err != nil {
		return "", exit.Invalidf("--output "+output, "name a directory that can be written", "%w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}
