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
		Long: `Reads the result.json of a finished run and writes every report that follows from it: report.html, report.md, junit.xml,
metrics.txt (OpenMetrics), benchstat.txt, gpt.txt, and for each topology with load GitLab's load-performance JSON and plots as
PNG. Of a comparison.json it writes comparison.html: the ratios with their intervals, the slices of both sides, and what stands behind them.
Judges nothing: steamer gate --from does. The exit code says whether the reports were written, not what they say.`,
		Example: "  steamer report runs/20261125-151000-abcd\n  steamer report old/result.json --output-dir /tmp/again",
		RunE: func(_ *cobra.Command, args []string) error {
			path := args[0]
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				path = filepath.Join(path, "result.json")
			}
			return campaign.ReportAgain(state, path, output)
		},
	}
	command.Flags().StringVar(&output, "output-dir", "", "directory for the reports (default: beside the result)")
	oldNames(command, planNames())
	return command
}
