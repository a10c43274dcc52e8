package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
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
			return again(state, path, output)
		},
	}
	command.Flags().StringVar(&output, "output-dir", "", "directory for the reports (default: beside the result)")
	oldNames(command, planNames())
	return command
}

// again writes the reports of the file at path into dir, or beside it where dir is empty.
func again(state *State, path, dir string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return exit.Invalidf(path, "name a run directory, its result.json, or a comparison.json", "%w", err)
	}
	if dir == "" {
		dir = filepath.Dir(path)
	}
	var what string
	var verdict result.Verdict
	var write func() error
	if gate.IsComparison(data) {
		c, whole, err := gate.ReadComparison(path, data)
		if err != nil {
			return err
		}
		what, verdict, write = c.Head+" against "+c.Base, c.Verdict,
			func() error { return report.WriteComparison(dir, c, whole) }
	} else {
		r, err := result.Decode(path, data)
		if err != nil {
			return err
		}
		what, verdict, write = r.Run.ID, r.Verdict, func() error { return report.WriteAll(dir, r) }
	}
	if err := session.MakeDirectory(dir); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	fmt.Fprintf(state.Stdout, "%s: %s, reports in %s\n", what, verdict, dir)
	return nil
}
