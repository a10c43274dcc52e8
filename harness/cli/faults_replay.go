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

func newFaultsReplay(state *State) *cobra.Command {
	f, plans := &campaign.Faults{Options: usual()}, newPlanFlags(scenario.None, nil)
	var installed []*pflag.FlagSet
	command := &cobra.Command{
		Use: "replay FILE", Short: "Do the faults of a schedule again", Args: cobra.ExactArgs(1),
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

func newFaultsShrink(state *State) *cobra.Command {
	f := &campaign.Faults{Options: usual()}
	s := faults.Shrinker{Times: 3, Runs: 60}
	command := &cobra.Command{
		Use: "shrink FILE", Short: "Cut a schedule to the least that still fails",
		Args: cobra.ExactArgs(1),
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
		Use: "kinds", Short: "List the faults", Args: cobra.NoArgs,
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
