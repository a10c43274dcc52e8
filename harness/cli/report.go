package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
)

func newReport(state *State) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use: "report RUN_DIR|RESULT.json", Short: "Write the reports of a finished run again, offline", Args: cobra.ExactArgs(1),
		Long: `Reads the result.json of a finished run and writes every report that follows from it: report.html, report.md, junit.xml,
metrics.txt (OpenMetrics), benchstat.txt, gpt.txt, and for each topology with load GitLab's load-performance JSON and plots as
PNG. Judges nothing: steamer gate --from does. The exit code says whether the reports were written, not what they say.`,
		Example: "  steamer report runs/20261125-151000-abcd\n  steamer report old/result.json --output /tmp/again",
		RunE: func(_ *cobra.Command, args []string) error {
			path := args[0]
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				path = filepath.Join(path, "result.json")
			}
			r, err := result.ReadFile(path)
			if err != nil {
				return err
			}
			dir := output
			if dir == "" {
				dir = filepath.Dir(path)
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return exit.Invalidf("--output "+dir, "name a directory that can be written", "%w", err)
			}
			if err := report.WriteAll(dir, r); err != nil {
				return err
			}
			fmt.Fprintf(state.Stdout, "%s: %s, reports in %s\n", r.Run.ID, r.Verdict, dir)
			return nil
		},
	}
	command.Flags().StringVar(&output, "output", "", "directory for the reports (default: beside the result)")
	return command
}
