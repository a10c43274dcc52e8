package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/scenario"
)

const faultsReplayLong = `Does the faults of a schedule again, with the seed and the workload that stand in it: schedule.json of any run, or the
shrunk.json of steamer faults shrink. Requests and faults meet in another order each time, so that a violation may need
several runs.

Exit codes: as those of steamer faults check.`

func newFaultsReplay(state *State) *cobra.Command {
	f, plans := &campaign.Faults{Options: campaign.UsualFaults()}, newPlanFlags(scenario.None, nil)
	var installed []*pflag.FlagSet
	command := &cobra.Command{
		Use: "replay FILE", Short: "Do the faults of a schedule again", Long: faultsReplayLong, Args: cobra.ExactArgs(1),
		Example: `  steamer faults replay runs/faults-20261130-120000/schedule.json
  steamer faults replay shrunk.json -o json | jq .violationsByRule`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := take(f, args[0]); err != nil {
				return err
			}
			if f.Schedule.Topology != "" {
				return replayOnCluster(c, state, plans, f)
			}
			if err := refuse("nothing is installed for a schedule of processes", installed...); err != nil {
				return err
			}
			verdict, err := f.Run(c.Context(), state)
			return conclude(c.Context(), verdict, err)
		},
	}
	installed = addFaultsInstalled(command, plans)
	addFlags(command, "Output", func(set *pflag.FlagSet) { bindFaultsOutput(set, f) })
	addRecordFormat(command, state)
	return command
}

// replayOnCluster does a schedule in the topology that stands in it, or in another that is given.
func replayOnCluster(c *cobra.Command, state *State, plans *planFlags, f *campaign.Faults) error {
	if !c.Flags().Changed("topology") {
		if err := c.Flags().Set("topology", f.Schedule.Topology); err != nil {
			return err
		}
	}
	return faultsOnCluster(c, state, plans, f, func(place faults.Place) (*faults.Schedule, error) {
		s := *f.Schedule
		s.Topology = place.Topology
		return &s, s.Fits(place)
	})
}

// take reads a schedule with its workload.
func take(f *campaign.Faults, path string) (err error) {
	if f.Schedule, err = faults.ReadSchedule(path); err != nil {
		return err
	}
	f.Take()
	return f.Validate()
}

func bindFaultsOutput(set *pflag.FlagSet, f *campaign.Faults) {
	set.StringVar(&f.Output, "output-dir", "runs", "directory below which a directory for the files is made")
}

const faultsShrinkLong = `Runs a schedule that violated an invariant again and again, with less each time: fewer faults (by ddmin, until no single
one can be taken away), weaker ones (kill, then term, then step-down), shorter ones, fewer clients, namespaces and
secrets. What still violates it at least once in --times runs is kept. Writes shrunk.json, which steamer faults replay takes, with the story in ten lines and how often it
was reproduced, and the history and report.json of a run that shows it.

Exit codes: 1 the violation was reproduced; 2 it was not; others as those of steamer faults check.`

func newFaultsShrink(state *State) *cobra.Command {
	f := &campaign.Faults{Options: campaign.UsualFaults()}
	s := faults.Shrinker{Times: 3, Runs: 60}
	command := &cobra.Command{
		Use: "shrink FILE", Short: "Cut a schedule to the least that still fails", Long: faultsShrinkLong,
		Args: cobra.ExactArgs(1), Example: `  steamer faults shrink runs/faults-20261130-120000/schedule.json --rules S2`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := errors.Join(take(f, args[0]), s.Validate()); err != nil {
				return err
			}
			if f.Schedule.Topology != "" {
				return exit.Invalidf(args[0], "shorten it by hand, and use steamer faults replay",
					"schedules of a cluster are not shrunk")
			}
			verdict, err := f.Shrink(c.Context(), state, s)
			return conclude(c.Context(), verdict, err)
		},
	}
	addFlags(command, "Search", func(set *pflag.FlagSet) {
		set.StringSliceVar(&s.Rules, "rules", nil, "invariants of which one has to be violated (default: any)")
		set.IntVar(&s.Times, "times", s.Times,
			"runs of each attempt, at most, until it fails; and of the result, for its rate")
		set.IntVar(&s.Runs, "runs", s.Runs, "runs all together, at most, without those of the rate")
	})
	addFlags(command, "Output", func(set *pflag.FlagSet) { bindFaultsOutput(set, f) })
	addRecordFormat(command, state)
	return command
}

func newFaultsKinds(state *State) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use: "kinds", Short: "List the faults", Args: cobra.NoArgs, Example: "  steamer faults kinds",
		RunE: func(*cobra.Command, []string) error {
			return printed(state, format, faults.List(), func(w io.Writer) error {
				for _, k := range faults.List() {
					if _, err := fmt.Fprintf(w, "%-28s %-18s %s\n", k.Name, strings.Join(k.On, ", "), k.What); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	addFormat(command, &format)
	return command
}
