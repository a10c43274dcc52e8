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

	"gitlab.com/steamer/steamer/harness/decision"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/readiness"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

const gateLong = `One decision on a release: may this chart be shipped? Checks the chart without a cluster, runs the whole suite and
the load of the tier in both topologies, tries the mutants that need no cluster, and judges all of it by
criteria: static checks, known defects, complete runs, the functional suite, the objectives, hygiene; a comparison
with the last release and mutants where they are given.

--from judges finished work instead, offline: run directories, result.json, what charts check --format json, compare and
mutants --json wrote, or the gate.json of an earlier decision for all that it rested on. Nothing is believed that can be
derived again: every run is judged anew by the objectives. What is truncated, of another version or about another
chart is refused with exit code 3. --with adds such evidence to a gate that runs the rest itself.

Writes gate.json, gate.html, gate.md and gate.xml (JUnit) into a directory of their own below --output.
Exit code 0: every required criterion is met and none is missed. 1: one is missed. 2: a required one could not be judged.`

// gateFlags are the flags of steamer gate beyond those of steamer run.
type gateFlags struct {
	from, with, require []string
	mutants             string
}

func newGate(state *State) *cobra.Command {
	command, run := runCommand(state, scenario.All, "gate", "Decide whether a chart may be released")
	f := &gateFlags{}
	command.Args, command.Long = cobra.ArbitraryArgs, gateLong
	command.Example = `  steamer gate --profile steady --tier 12
  steamer gate --chart ./openbao-1.2.3.tgz --with runs/compare/comparison.json --require +comparison
  steamer gate --from runs/20261125-151000-abcd
  steamer gate --from runs/*/ --scenarios core --tier 12
  steamer gate --from runs/gate-20261125-160000/gate.json      # derive that decision again`
	flags := command.Flags()
	flags.StringArrayVar(&f.from, "from", nil, "judge finished work and run nothing: a run directory or a file; repeatable, and more may follow as arguments")
	flags.StringArrayVar(&f.with, "with", nil, "further evidence beside what the gate runs itself, such as comparison.json; repeatable")
	flags.StringSliceVar(&f.require, "require", readiness.DefaultRequired(),
		"criteria that have to be met: "+strings.Join(decision.Criteria(), ", ")+"; +NAME adds one to the default, -NAME takes one away")
	flags.StringVar(&f.mutants, "mutants", "local", "mutants to try: none, local (no cluster, a minute) or all (half an hour)")
	command.RunE = func(c *cobra.Command, args []string) error { return f.run(c.Context(), c, state, run, args) }
	return command
}

func (f *gateFlags) run(ctx context.Context, c *cobra.Command, state *State, run *runFlags, args []string) error {
	policy, err := f.policy(c, state, run)
	if err != nil {
		return err
	}
	var paths []string
	var dir string
	if len(f.from) > 0 {
		if err := onlyOffline(c); err != nil {
			return err
		}
		paths = append(slices.Clone(f.from), args...)
	} else {
		if len(args) > 0 {
			return exit.Invalidf(strings.Join(args, " "), "name finished work with --from", "steamer gate takes no arguments without --from")
		}
		if _, err := readAll(f.with); err != nil { // found out now, and not after half an hour
			return err
		}
		var stop bool
		if paths, dir, stop, err = f.collect(ctx, c, state, run); err != nil || stop {
			return err
		}
		paths = append(paths, f.with...)
	}
	evidence, err := readiness.Read(paths...)
	if err != nil {
		return err
	}
	d, err := readiness.Decide(evidence, policy)
	if err != nil {
		return err
	}
	return f.conclude(state, d, dir, run.flagged.Output)
}

func readAll(paths []string) (*readiness.Evidence, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	return readiness.Read(paths...)
}

// onlyOffline refuses flags that say how to run something.
func onlyOffline(c *cobra.Command) error {
	for _, name := range slices.Concat(inCluster(), []string{"with", "mutants", "plan", "profile", "rate", "cluster", "port", "dry-run", "ready-timeout", "environment-latency"}) {
		if name != "topology" && c.Flags().Changed(name) {
			return exit.Invalidf("--"+name, "leave it out, or --from", "with --from nothing is run")
		}
	}
	return nil
}

// policy is what the flags ask of the release.
func (f *gateFlags) policy(c *cobra.Command, state *State, run *runFlags) (readiness.Policy, error) {
	p := readiness.Policy{Validity: gate.DefaultValidity(), Topologies: topology.Names()}
	var err error
	if _, p.SLO, err = state.slo(run.flagged.SLO); err != nil {
		return p, err
	}
	if c.Flags().Changed("topology") && !slices.Equal(run.topologies, []string{"all"}) {
		p.Topologies = run.topologies
	}
	for _, name := range p.Topologies {
		if err := topologyKnown(name); err != nil {
			return p, err
		}
	}
	if len(f.from) == 0 || c.Flags().Changed("tier") {
		p.Tier = run.flagged.Tier
	}
	suite, err := scenario.Select(scenarios.All(), run.flagged.Scenarios)
	if err != nil {
		return p, err
	}
	for _, s := range suite {
		p.Suite = append(p.Suite, s.ID)
	}
	if !slices.Contains([]string{"none", "local", "all"}, f.mutants) {
		return p, exit.Invalidf("--mutants "+f.mutants, "choose from none, local and all", "there is no such choice")
	}
	p.Required, err = required(f.require)
	return p, err
}

// required reads --require: a list of criteria, or changes to the default.
func required(list []string) ([]string, error) {
	out, plain := readiness.DefaultRequired(), []string{}
	for _, entry := range list {
		name := strings.TrimLeft(entry, "+-")
		if !slices.Contains(decision.Criteria(), name) {
			return nil, exit.Invalidf("--require "+entry, "choose from "+strings.Join(decision.Criteria(), ", "), "there is no such criterion")
		}
		switch {
		case strings.HasPrefix(entry, "+"):
			out = append(out, name)
		case strings.HasPrefix(entry, "-"):
			out = slices.DeleteFunc(out, func(s string) bool { return s == name })
		default:
			plain = append(plain, name)
		}
	}
	switch {
	case len(plain) == 0:
		return out, nil
	case len(plain) == len(list):
		return plain, nil
	}
	return nil, exit.Invalidf("--require "+strings.Join(list, ","), "give a list, or changes with + and - to the default", "it is both")
}

// conclude writes the decision and turns it into the process's outcome.
func (f *gateFlags) conclude(state *State, d *decision.Decision, dir, output string) error {
	d.Made, d.Steamer, d.Reproduce = time.Now().UTC(), buildVersion(), commandLine(state.Args)
	if dir == "" {
		var err error
		if dir, err = gateDir(output, d.Made); err != nil {
			return err
		}
	}
	for i, file := range d.Evidence { // the directory may move together with the runs beside it
		if abs, err := filepath.Abs(file.Path); err == nil {
			if rel, err := filepath.Rel(dir, abs); err == nil {
				d.Evidence[i].Path = rel
			}
		}
	}
	if err := report.WriteDecision(dir, d); err != nil {
		return err
	}
	colour := false
	if file, ok := state.Stdout.(*os.File); ok {
		colour = report.Colour(file)
	}
	if err := report.DecisionSummary(state.Stdout, d, colour); err != nil {
		return err
	}
	fmt.Fprintf(state.Stdout, "\nDirectory: %s\n", dir)
	switch d.Verdict {
	case result.Pass:
		return nil
	case result.Fail:
		return verdictError(exit.Fail)
	default:
		return verdictError(exit.Inconclusive)
	}
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
