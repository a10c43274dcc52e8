package cli

import (
	"math/rand/v2"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults/record"
)

const faultsRecordLong = `Looks for known public bugs of OpenBao again, on processes of this machine: what Steamer finds
where a bug is known says what its silence is worth elsewhere. Each try has two OpenBao and a PostgreSQL of its own. A
bug is shown by a schedule of faults and the history of its clients, or by a few requests and actions. Bugs that the
version does not have are tried, too, and have to stay silent.

Takes any OpenBao (--bao). Writes record.json and record.md into a directory of their own below --output-dir.
docs/track-record.md is what was found so far.

Exit codes: 0 PASS, each bug that the version has was found at least once, and no other; 1 FAIL, a bug shows that the
version should not have; 2 INCONCLUSIVE, one that it should have does not show, or was not decided; 3 invalid input.`

func newFaultsRecord(state *State) *cobra.Command {
	t := &campaign.TrackRecord{Options: record.Options{Parallel: 2}}
	command := &cobra.Command{
		Use: "record", Short: "Look for known bugs of OpenBao again", Long: faultsRecordLong, Args: cobra.NoArgs,
		Example: `  steamer faults record
  steamer faults record --bao /opt/openbao-2.6.2/bao --times 3
  steamer faults record --only lock-row-removed,lock-taken --times 100
  steamer faults record --from a/record.json,b/record.json --markdown page.md`,
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
