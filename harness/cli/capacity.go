package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/capacity"
	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/report/campaign"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
)

const capacityLong = `Finds the highest rate of fetches at which the objectives of a tier (perf/slo.yaml) still hold: doubles the
rate until they do not, narrows the bracket by bisection, and confirms the candidate with several longer
runs. Prints the knee, and what was saturated beyond it with the evidence: OpenBao's CPU against its
limit, PostgreSQL's CPU, the pool of database connections, the host, the generator.

A search in which the load generator is the first to be saturated ends INCONCLUSIVE and says so.

With --local OpenBao and PostgreSQL run as processes of this machine: minutes instead of a cluster, to
compare configurations. Without it the chart is installed as in steamer run.`

// chosenRates are the flags of a run in whose place a search chooses.
func chosenRates() []string { return []string{"rate", "profile"} }

// capacityFlags are the flags of steamer capacity; the plan's own are run's.
type capacityFlags struct {
	*runFlags
	local   bool
	cpus    float64
	options capacity.Options
}

func newCapacity(state *State) *cobra.Command {
	command, p := runCommand(state, scenario.None, "capacity",
		"Find the highest rate of fetches that holds the objectives, and what limits it")
	f := &capacityFlags{runFlags: p, options: capacity.Default()}
	command.Long = capacityLong
	command.Example = `  steamer capacity --local
  steamer capacity --local --openbao-cpus 0.5 --tier 30 --start 20
  steamer capacity --topology cloud-native --tier 12
  steamer capacity --local --at-least 150        # exit code 1 when it is less`
	flags, o := command.Flags(), &f.options
	flags.Lookup("tier").DefValue = o.Tier
	hide(command, chosenRates()...)
	flags.BoolVar(&f.local, "local", false, "OpenBao and PostgreSQL as processes instead of on a cluster")
	flags.Float64Var(&f.cpus, "openbao-cpus", 0,
		"with --local: CPU limit of OpenBao in cores, a CFS quota as a container has; 0 is none")
	flags.StringVar(&o.Mode, "mode", o.Mode, "way to fetch: "+strings.Join(load.Modes(), ", "))
	flags.BoolVar(&o.Reuse, "keep-alive", false, "keep connections; GitLab Runner opens one per job")
	flags.Float64Var(&o.Start, "start", o.Start, "first rate, in fetches per second")
	flags.Float64Var(&o.Max, "max", o.Max, "highest rate to try")
	flags.Float64Var(&o.Resolution, "resolution", o.Resolution, "how narrow the bracket gets, 0.01 to 0.5")
	flags.DurationVar(&o.Warmup, "warmup", o.Warmup, "warm-up of each run")
	flags.DurationVar(&o.Trial, "trial", o.Trial, "length of a run of the search")
	flags.DurationVar(&o.Confirm, "confirm", o.Confirm, "length of a confirmation")
	flags.IntVar(&o.Confirmations, "confirmations", o.Confirmations, "runs that confirm the candidate, 3 or more")
	flags.Float64Var(&o.AtLeast, "at-least", 0, "FAIL when the capacity is below this rate")
	command.RunE = func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c, state) }
	return command
}

func (f *capacityFlags) run(ctx context.Context, c *cobra.Command, state *State) error {
	root, p, err := f.read(c, state)
	if err != nil {
		return err
	}
	if err := refuse(c, "the search chooses its rates itself", chosenRates()...); err != nil {
		return err
	}
	f.options.Tier, f.options.HostCPUs = p.Tier, max(1, int(math.Round(cgroup.UsableCPUs())))
	if f.options.SLO, err = judge.ReadSLO(p.SLO); err != nil {
		return err
	}
	if f.planFile == "" && !c.Flags().Changed("tier") {
		f.options.Tier = capacity.Default().Tier
	}
	if err := f.options.Validate(); err != nil {
		return err
	}
	if f.local {
		return f.onProcesses(ctx, c, state, p)
	}
	if err := refuse(c, "only --local can limit processes; a chart's limits are the tier's", "openbao-cpus"); err != nil {
		return err
	}
	p.Tier = f.options.Tier
	return state.onTopologies(ctx, root, p, "capacity", f.dryRun, func(ctx context.Context, d *run.Driver, ui *run.Text,
		dir string,
	) (result.Verdict, error) {
		target := fmt.Sprintf("%s, %d tenants, limits of tier %s", d.Name(), d.Tenants(), p.Tier)
		return f.search(ctx, state, ui, capacity.Installed(d), target, dir)
	})
}

// onProcesses searches on a lab.
func (f *capacityFlags) onProcesses(ctx context.Context, c *cobra.Command, state *State, p plan.Plan) error {
	if err := refuse(c, "with --local nothing is installed", labFlags()...); err != nil {
		return err
	}
	if !(f.cpus >= 0) || f.cpus > 1024 || f.cpus > 0 && f.cpus < 0.05 {
		return exit.Invalidf("--openbao-cpus", "use 0.05 cores or more, or 0 for no limit", "%g is out of range", f.cpus)
	}
	if err := errors.Join(bound("tenants", p.Tenants, 1, 10000), bound("secrets", p.Secrets, 1, 100)); err != nil {
		return err
	}
	if f.dryRun {
		fmt.Fprintf(state.Stdout, "%d tenants, tier %s, from %g to %g fetches/s, trials of %s, %d confirmations of %s\n",
			p.Tenants, f.options.Tier, f.options.Start, f.options.Max, f.options.Trial, f.options.Confirmations,
			f.options.Confirm)
		return nil
	}
	spec := lab.Spec{CPUs: f.cpus, Tenants: p.Tenants, Secrets: p.Secrets}
	return state.onLab(ctx, p.Output, "capacity", spec, func(l *lab.Lab, ui *run.Text, dir string) (result.Verdict,
		error,
	) {
		driver, err := capacity.Local(l, f.interval(ui))
		if err != nil {
			return "", err
		}
		target := fmt.Sprintf("OpenBao %s and PostgreSQL as processes, %d tenants", l.Version, p.Tenants)
		if l.Limited != "" {
			target += ", " + l.Limited
		}
		return f.search(ctx, state, ui, driver, target, dir)
	})
}

// nonVerdict drops the errors that the report's verdict already says.
func nonVerdict(r *capacity.Report, err error) error {
	if !r.Partial {
		return nil
	}
	return err
}

func (f *capacityFlags) interval(ui *run.Text) func(result.Interval) {
	return func(iv result.Interval) {
		if ui.Terminal {
			ui.Interval(iv, f.options.Warmup+f.options.Confirm)
		}
	}
}

// search runs one search and writes its files.
func (f *capacityFlags) search(ctx context.Context, state *State, ui *run.Text, d capacity.Driver, target,
	dir string,
) (result.Verdict, error) {
	o := f.options
	o.Progress = func(p capacity.Point) {
		ui.Note(fmt.Sprintf("%-7s %7.1f/s offered, %7.1f/s achieved, p95 %.1f ms, p99 %.1f ms, OpenBao %.2f, PostgreSQL %.2f, k6 %.2f cores: %s %s",
			p.Phase, p.Rate, p.Achieved, p.P95, p.P99, p.OpenBao.Cores, p.PostgreSQL.Cores, p.Generator, p.Outcome, p.Reason))
	}
	report, err := capacity.Search(ctx, d, o)
	if report == nil {
		return "", err
	}
	report.Target, report.Reproduce = target, state.commandLine()
	markdown, writeErr := campaign.WriteCapacity(dir, report)
	fmt.Fprintf(state.Stdout, "%s\nFiles: %s\n", markdown, dir)
	return report.Verdict, errors.Join(nonVerdict(report, err), writeErr)
}
