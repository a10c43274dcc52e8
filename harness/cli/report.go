package cli

import (
	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/campaign"
)

func newReport(state *State) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "report RUN_DIR|RESULT.json|COMPARISON.json",
		Short: "Write the reports of a finished run or comparison again, offline", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return campaign.ReportAgain(state, args[0], output) },
	}
	command.Flags().StringVar(&output, "output-dir", "", "directory for the reports (default: beside the result)")
	return command
}
