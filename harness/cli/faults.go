package cli

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
)

func newFaults(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "faults", Short: "Judge what OpenBao acknowledged while things broke",
		Example: "  steamer faults check runs/faults-20261130-120000/history",
	}, newFaultsCheck(state))
}

const faultsCheckLong = `Reads a history, the log of every operation of every client with the faults on the same clock, and judges it offline:
no acknowledged write is lost, no read is stale, nothing deleted returns, no access is granted after its revocation, one
pod leads, every answer is in the audit log. A violation is shown with the shortest sub-history that shows it.
docs/faults.md lists the invariants.

Exit codes: 0 PASS, every answer has an explanation; 1 FAIL, a violation; 2 INCONCLUSIVE, no violation, and something could
not be judged: the run was killed, a fault has no receipt, secrets were not read again at the end; 3 invalid input: not a
history, one of another version, cut off, changed, or with a clock that runs backwards.`

func newFaultsCheck(state *State) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use: "check FILE", Short: "Judge a history, offline", Long: faultsCheckLong, Args: cobra.ExactArgs(1),
		Example: `  steamer faults check runs/faults-20261130-120000/history
  steamer faults check history -o json | jq '.violations[].steps'`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := choice("--format", format, "text", "json"); err != nil {
				return err
			}
			report, err := checkHistory(args[0])
			if err != nil {
				return err
			}
			err = printed(state, format, report, func(w io.Writer) error { return check.Text(w, report) })
			return conclude(c.Context(), report.Verdict, err)
		},
	}
	addFormat(command, &format)
	return command
}

// checkHistory judges the history in a file.
func checkHistory(path string) (*check.Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, exit.Invalidf(path, "name a history that steamer faults wrote", "%w", err)
	}
	r, err := history.NewReader(path, file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	report, err := check.History(r)
	return report, errors.Join(err, file.Close())
}
