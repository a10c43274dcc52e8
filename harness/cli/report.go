package cli

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"gitlab.com/steamer/steamer/harness/campaign"
)

func newReport(state *State) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "report RUN_DIR|RESULT.json|COMPARISON.json",
		Short: "Write the reports of a finished run or comparison again, offline", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := args[0]
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				path = filepath.Join(path, "result.json")
			}
			return campaign.ReportAgain(state, path, output)
		},
	}
	command.Flags().StringVar(&output, "output-dir", "", "directory for the reports (default: beside the result)")
	return command
}
