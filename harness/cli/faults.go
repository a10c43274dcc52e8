package cli

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/session"
)

// faultsFlags are the flags of steamer faults.
type faultsFlags struct {
	*planFlags
	campaign.Faults
	installed []*pflag.FlagSet // what means nothing for processes
	local     bool
	faults    int
	seed      uint64
	kinds     []string
	schedule  string
}

func newFaults(state *State) *cobra.Command {
	f := &faultsFlags{Faults: campaign.Faults{Options: campaign.UsualFaults()}, planFlags: newPlanFlags(scenario.None, nil)}
	command := &cobra.Command{
		Use: "faults", Short: "Break OpenBao under load, and judge what it acknowledged", Args: cobra.NoArgs,
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) { return f.run(c, state) }),
	}
	set := command.Flags()
	set.BoolVar(&f.local, "local", false, "on processes of this machine instead of on a cluster")
	set.IntVar(&f.faults, "faults", 20, "how many faults, one after the other")
	set.DurationVar(&f.Duration, "duration", 0,
		"begin no fault after so long; without --faults as many as there is time for (default: until all are done)")
	seedVar(set, &f.seed, "seed of schedule and workload (default: a new one)")
	set.StringSliceVar(&f.kinds, "kinds", nil,
		"kinds of faults, see steamer faults kinds; -NAME leaves one out (default: all)")
	set.StringVar(&f.schedule, "schedule", "", "schedule.json of an earlier run, to do again")
	under(command, "Faults")
	set.IntVar(&f.Ops, "ops", 0, "operations, at least: goes on after the last fault until there are as many")
	set.Float64Var(&f.Rate, "rate", f.Rate, "operations per second, of all clients together")
	set.Lookup("rate").DefValue += fmt.Sprint(", on a cluster ", campaign.ClusterRate)
	set.IntVar(&f.Clients, "clients", f.Clients, "clients, each with one operation at a time")
	set.IntVar(&f.Tenants, "tenants", f.Tenants, "namespaces")
	set.IntVar(&f.Secrets, "secrets", f.Secrets, "secrets of each tenant")
	set.Float64Var(&f.Fetches, "load", 0,
		"fetches per second that k6 makes beside the clients, as jobs do, each value checked (default: none)")
	set.BoolVar(&f.Spaces, "namespaces", f.Spaces, "clients create and delete namespaces all the time, too")
	set.StringVar(&f.Server.PgBouncer, "pgbouncer", "",
		"a PgBouncer between OpenBao and PostgreSQL, in mode session or transaction (default: none)")
	set.BoolVar(&f.Audit, "audit", f.Audit,
		"with --local: hold answers against the audit log, which takes 3 KB of disk for each operation meanwhile")
	under(command, "Workload")
	f.installed = addFaultsInstalled(command, f.planFlags)
	addRecord(command, &f.Output, ownDirectory)
	command.AddCommand(newFaultsCheck(state), newFaultsReplay(state), newFaultsShrink(state), newFaultsKinds(state),
		newFaultsDeadlines(state), newFaultsProtocol(state), newFaultsRecord(state), newFaultsRules(state))
	return command
}

// seedVar defines a seed, which is drawn where it is not given.
func seedVar(set *pflag.FlagSet, seed *uint64, usage string) {
	set.Uint64Var(seed, "seed", rand.Uint64(), usage)
	set.Lookup("seed").DefValue = "0"
}

// addFaultsInstalled adds the flags about a chart and its cluster.
func addFaultsInstalled(c *cobra.Command, f *planFlags) []*pflag.FlagSet {
	file, dryRun := f.addFile(c)
	return []*pflag.FlagSet{
		file, dryRun, f.add(c, "Chart", "topology tls "+chartFlags), f.add(c, "Cluster", clusterFlags),
	}
}

func (f *faultsFlags) run(c *cobra.Command, state *State) (result.Verdict, error) {
	given := c.Flags().Changed
	if f.schedule != "" && (given("faults") || given("seed") || given("kinds")) {
		return "", exit.Invalidf("--schedule", "leave out --faults, --seed and --kinds", "the file has faults and seed")
	}
	if f.Duration > 0 && !given("faults") {
		f.faults = int(math.Ceil(f.Duration.Seconds())) // none takes less than a second
	}
	if !f.local {
		return f.onCluster(c, state)
	}
	err := refuse("with --local nothing is installed", f.installed...)
	if err == nil {
		f.Schedule, err = f.draw(faults.Place{})
	}
	if err := errors.Join(err, f.Validate()); err != nil {
		return "", err
	}
	return f.Run(c.Context(), state)
}

// draw reads the schedule, or draws one for a place.
func (f *faultsFlags) draw(place faults.Place) (*faults.Schedule, error) {
	if f.schedule == "" {
		return faults.DrawFor(place, f.seed, f.faults, f.kinds)
	}
	s, err := faults.ReadSchedule(f.schedule)
	if err == nil {
		err = s.Fits(place)
	}
	if err != nil {
		return nil, err
	}
	s.Topology = place.Topology
	return s, nil
}

// onCluster breaks what a plan installs.
func (f *faultsFlags) onCluster(c *cobra.Command, state *State) (result.Verdict, error) {
	switch given := c.Flags().Changed; {
	case given("audit") && f.Audit:
		return "", exit.Invalidf("--audit", "add --local", "audit logs of pods that are deleted are not whole")
	case f.Server.PgBouncer != "":
		return "", exit.Invalidf("--pgbouncer", "add --local", "the database of a chart has none")
	case !given("rate"):
		f.Rate = campaign.ClusterRate
	}
	f.Audit = false
	return faultsOnCluster(c, state, f.planFlags, &f.Faults, f.draw)
}

// faultsOnCluster reads the plan, has a schedule drawn for each of its topologies, and does them.
// A schedule that is there already is done in its own topology, unless another is given.
func faultsOnCluster(c *cobra.Command, state *State, plans *planFlags, f *campaign.Faults,
	draw func(faults.Place) (*faults.Schedule, error),
) (result.Verdict, error) {
	root, p, err := plans.readWithoutScenarios(c, state)
	if err != nil {
		return "", err
	}
	if f.Schedule != nil && !c.Flags().Changed("topology") {
		p.Topologies = []string{f.Schedule.Topology}
	}
	p.Output = f.Output
	schedules, err := campaign.Schedules(p, draw)
	if err != nil {
		return "", err
	}
	if err := f.Validate(); err != nil {
		return "", err
	}
	return f.OnCluster(c.Context(), state, root, p, schedules, plans.dryRun)
}

func newFaultsCheck(state *State) *cobra.Command {
	command := &cobra.Command{
		Use: "check FILE", Short: "Judge a history, offline", Args: cobra.ExactArgs(1),
		RunE: judged(func(_ *cobra.Command, args []string) (result.Verdict, error) {
			report, err := check.File(args[0])
			if err != nil {
				return "", err
			}
			return report.Verdict, session.Print(state, report, check.Encode, func(w io.Writer) error {
				return check.Text(w, report)
			})
		}),
	}
	addRecord(command, nil, "")
	return command
}

func newFaultsRules(state *State) *cobra.Command {
	return newTable(state, "rules", "List the invariants that a history is held against", check.Rules,
		func(r check.Rule) string { return fmt.Sprintf("%-4s %-36s %s", r.ID, r.Title, r.Promises) })
}

func newFaultsKinds(state *State) *cobra.Command {
	return newTable(state, "kinds", "List the faults", faults.List, func(k faults.Kind) string {
		return fmt.Sprintf("%-28s %-18s %s", k.Name, strings.Join(k.On, ", "), k.What)
	})
}

// newTable is a command that prints a list, as a text with a line for each entry.
func newTable[T any](state *State, use, short string, list func() []T, line func(T) string) *cobra.Command {
	command := &cobra.Command{Use: use, Short: short, RunE: func(*cobra.Command, []string) error {
		return printed(state, list(), func(w io.Writer) error { return writeLines(w, list(), line) })
	}}
	addFormat(command, "")
	return command
}

// writeLines writes a line for each entry of a list.
func writeLines[T any](w io.Writer, list []T, line func(T) string) error {
	for _, one := range list {
		if _, err := fmt.Fprintln(w, line(one)); err != nil {
			return err
		}
	}
	return nil
}
