package cli

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/report/campaign"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/sizing"
)

const sizingLong = `Provisions 50, 200, 1,000 and 5,000 tenants as far as --max-tenants and --budget allow, and at each size measures
memory of the active node, seconds to fail over (in order and after a crash) and to start again, how fast
tenants are provisioned and what limits that, and latency of fetches over all tenants. Prints it in the
shape of GitLab's sizing tables beside the published numbers, PASS or FAIL for each; sizes beyond are
extrapolated from the measured ones and marked.

With --local two OpenBao processes share one PostgreSQL on this machine. Without it the chart is installed
as in steamer run, with the limits of tier ` + sizingTier + ` unless --tier names another, and the times are those that clients of the
cluster see.`

// sizingTier is the smallest tier whose rate reaches the published one.
const sizingTier = "150"

// fixedSizes are the flags of a run that the ladder of sizes leaves no room for.
func fixedSizes() []string { return []string{"tenants", "profile"} }

type sizingFlags struct {
	*runFlags
	local   bool
	options sizing.Options
}

func newSizing(state *State) *cobra.Command {
	command, p := runCommand(state, scenario.None, "sizing",
		"Measure how OpenBao grows with tenants, beside GitLab's published numbers")
	f := &sizingFlags{runFlags: p, options: sizing.Default()}
	command.Long = sizingLong
	command.Example = `  steamer sizing --local --max-tenants 1000
  steamer sizing --local --max-tenants 200 --failovers 5
  steamer sizing --topology cloud-native --max-tenants 1000`
	flags, o := command.Flags(), &f.options
	flags.Lookup("tier").DefValue = sizingTier
	hide(command, fixedSizes()...)
	flags.BoolVar(&f.local, "local", false, "OpenBao and PostgreSQL as processes instead of on a cluster")
	flags.IntVar(&o.MaxTenants, "max-tenants", o.MaxTenants, "largest size, 50 to 10000")
	flags.DurationVar(&o.Length, "length", o.Length, "length of the measurement of fetches at each size")
	flags.DurationVar(&o.Budget, "budget", o.Budget, "begin no size that would end after this")
	flags.IntVar(&o.Failovers, "failovers", o.Failovers, "disturbances of each kind at each size; the median counts")
	command.RunE = func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c, state) }
	return command
}

func (f *sizingFlags) run(ctx context.Context, c *cobra.Command, state *State) error {
	root, p, err := f.read(c, state)
	if err != nil {
		return err
	}
	if err := refuse(c, "the sizes are --max-tenants and those below, the load is fixed", fixedSizes()...); err != nil {
		return err
	}
	if p.Rate > 0 {
		f.options.Rate = p.Rate
	}
	if f.planFile == "" && !c.Flags().Changed("tier") {
		p.Tier = sizingTier
	}
	f.options.HostCPUs = max(1, int(math.Round(cgroup.UsableCPUs())))
	if err := errors.Join(f.options.Validate(), bound("secrets", p.Secrets, 1, 100)); err != nil {
		return err
	}
	if !f.local {
		p.Tenants = 2 // the sizes come later
		return state.onTopologies(ctx, root, p, "sizing", f.dryRun, func(ctx context.Context, d *run.Driver, ui *run.Text,
			dir string,
		) (result.Verdict, error) {
			site, done, err := sizing.Installed(d)
			if err != nil {
				return "", err
			}
			defer done()
			return f.measure(ctx, state, ui, site, fmt.Sprintf("%s, limits of tier %s", d.Name(), p.Tier), dir)
		})
	}
	if err := refuse(c, "with --local nothing is installed", append(labFlags(), "tier", "slo")...); err != nil {
		return err
	}
	if f.dryRun {
		fmt.Fprintf(state.Stdout, "%v tenants of %d secrets, fetches at %g/s for %s\n", sizing.Ladder(f.options.MaxTenants),
			p.Secrets, f.options.Rate, f.options.Length)
		return nil
	}
	return state.onLab(ctx, p.Output, "sizing", lab.Spec{Standby: true, Tenants: 2, Secrets: p.Secrets},
		func(l *lab.Lab, ui *run.Text, dir string) (result.Verdict, error) {
			return f.measure(ctx, state, ui, sizing.Local(l), fmt.Sprintf("OpenBao %s, two processes on one PostgreSQL",
				l.Version), dir)
		})
}

// measure measures one site and writes the files.
func (f *sizingFlags) measure(ctx context.Context, state *State, ui *run.Text, site sizing.Site, target,
	dir string,
) (result.Verdict, error) {
	o := f.options
	o.Progress = ui.Note
	report, err := sizing.Measure(ctx, site, o)
	if report == nil {
		return "", err
	}
	report.Target, report.Reproduce = target, state.commandLine()
	fmt.Fprintf(state.Stdout, "%s\nFiles: %s\n", campaign.Sizing(report), dir)
	return report.Verdict, errors.Join(err, campaign.WriteSizing(dir, report))
}
