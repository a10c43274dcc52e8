package cli

import (
	"math/rand/v2"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults/record"
)

func newFaultsRecord(state *State) *cobra.Command {
	t := &campaign.TrackRecord{Options: record.Options{Parallel: 2}}
	command := &cobra.Command{
		Use: "record", Short: "Look for known bugs of OpenBao again", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(t.From) > 0 && t.Markdown == "" {
				return exit.Invalidf("--from", "add --markdown FILE", "there is nothing to write")
			}
			if !c.Flags().Changed("seed") {
				t.Seed = rand.Uint64()
			}
			if err := t.Validate(); err != nil {
				return err
			}
			verdict, err := t.Run(c.Context(), state)
			return conclude(c.Context(), verdict, err)
		},
	}
	addFlags(command, "Bugs", func(set *pflag.FlagSet) {
		set.StringVar(&t.Server.Binary, "bao", "", "program of OpenBao to try (default: the one that Steamer builds)")
		set.StringSliceVar(&t.Only, "only", nil, "IDs of bugs; -ID leaves one out (default: all)")
		set.IntVar(&t.Times, "times", 0, "tries of each bug (default: each bug's own number)")
		set.IntVar(&t.Parallel, "parallel", t.Parallel, "bugs at a time, each try on two OpenBao and a PostgreSQL of its own")
		set.Uint64Var(&t.Seed, "seed", 0, "seed of schedules (default: a new one)")
	})
	addFlags(command, "Output", func(set *pflag.FlagSet) {
		set.StringVar(&t.Output, "output-dir", "runs", "directory below which a directory for the files is made")
		set.StringSliceVar(&t.From, "from", nil, "record.json of earlier runs, to write the page of; nothing is run")
		set.StringVar(&t.Markdown, "markdown", "", "file for the page, as docs/track-record.md")
	})
	addRecordFormat(command, state)
	return command
}
