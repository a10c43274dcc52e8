package cli

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func newFaultsReplay(state *State) *cobra.Command {
	f, plans := &campaign.Faults{Options: campaign.UsualFaults()}, newPlanFlags(scenario.None, nil)
	var installed []*pflag.FlagSet
	command := &cobra.Command{
		Use: "replay FILE", Short: "Do the faults of a schedule again", Args: cobra.ExactArgs(1),
		RunE: judged(func(c *cobra.Command, args []string) (result.Verdict, error) {
			if err := take(f, args[0]); err != nil {
				return "", err
			}
			if f.Schedule.Topology != "" {
				return faultsOnCluster(c, state, plans, f, func(place faults.Place) (*faults.Schedule, error) {
					s := *f.Schedule
					s.Topology = place.Topology
					return &s, s.Fits(place)
				})
			}
			if err := refuse("nothing is installed for a schedule of processes", installed...); err != nil {
				return "", err
			}
			return f.Run(c.Context(), state)
		}),
	}
	installed = addFaultsInstalled(command, plans)
	addRecord(command, &f.Output, ownDirectory)
	return command
}

// take reads a schedule with its workload.
func take(f *campaign.Faults, path string) (err error) {
	if f.Schedule, err = faults.ReadSchedule(path); err != nil {
		return err
	}
	f.Take()
	return f.Validate()
}

func newFaultsShrink(state *State) *cobra.Command {
	f := &campaign.Faults{Options: campaign.UsualFaults()}
	s := faults.Shrinker{Times: 3, Runs: 60}
	command := &cobra.Command{
		Use: "shrink FILE", Short: "Cut a schedule to the least that still fails", Args: cobra.ExactArgs(1),
		RunE: judged(func(c *cobra.Command, args []string) (result.Verdict, error) {
			if err := errors.Join(take(f, args[0]), s.Validate()); err != nil {
				return "", err
			}
			if f.Schedule.Topology != "" {
				return "", exit.Invalidf(args[0], "shorten it by hand, and use steamer faults replay",
					"schedules of a cluster are not shrunk")
			}
			return f.Shrink(c.Context(), state, s)
		}),
	}
	set := command.Flags()
	set.StringSliceVar(&s.Rules, "rules", nil, "invariants of which one has to be violated (default: any)")
	set.IntVar(&s.Times, "times", s.Times,
		"runs of each attempt, at most, until it fails; and of the result, for its rate")
	set.IntVar(&s.Runs, "runs", s.Runs, "runs all together, at most, without those of the rate")
	under(command, "Search")
	addRecord(command, &f.Output, ownDirectory)
	return command
}
