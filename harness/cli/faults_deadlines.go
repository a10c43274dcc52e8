package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults/deadlines"
)

func newFaultsDeadlines(state *State) *cobra.Command {
	d := &campaign.Deadlines{Options: deadlines.Options{Trials: 200, Awake: true, Sleep: true}}
	local := false
	command := &cobra.Command{
		Use: "deadlines", Short: "Measure how long revoked access is granted", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !local {
				return exit.Invalidf("steamer faults deadlines", "add --local", "deadlines on a cluster are not supported yet")
			}
			if err := d.Validate(); err != nil {
				return err
			}
			verdict, err := d.Run(c.Context(), state)
			return conclude(c.Context(), verdict, err)
		},
	}
	addFlags(command, "Deadlines", func(set *pflag.FlagSet) {
		set.BoolVar(&local, "local", false, "on processes of this machine; clusters are not supported yet")
		set.IntVar(&d.Trials, "trials", d.Trials, "trials of each kind")
		set.StringSliceVar(&d.Kinds, "kinds", nil, "what is revoked: "+strings.Join(deadlines.Kinds(), ", ")+" (default: all)")
		set.BoolVar(&d.Awake, "awake", d.Awake, "with a server that is well")
		set.BoolVar(&d.Sleep, "sleep", d.Sleep, "with a leader that slept")
	})
	addFlags(command, "Output", func(set *pflag.FlagSet) {
		set.StringVar(&d.Output, "output-dir", "runs", "directory below which a directory for the files is made")
	})
	addRecordFormat(command, state)
	return command
}
