package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/report/campaign"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/trend"
)

const trendLong = `Reads all results below a directory, in the order in which the runs started, and looks for the run
from which on a metric was another one (E-divisive change points with permutation tests). Runs of
charts of different names are never mixed, nor those of different topology, minor version of
Kubernetes, profile, tier, offered rate or way to fetch; partial and invalid ones are skipped and
counted. A series too short to see anything in says so, and how many runs it takes. A change is a
question to somebody, not a verdict: the exit code is 0 unless the input is bad.

--add copies results into the directory first. It may be an object store that is mounted: files are
only ever added.`

func newTrend(state *State) *cobra.Command {
	var add []string
	var output, format string
	var minChange float64
	command := &cobra.Command{
		Use: "trend DIR", Short: "From which run on is something slower? Change points over nightly results", Long: trendLong,
		Args: cobra.ExactArgs(1),
		Example: `  steamer trend runs
  steamer trend /mnt/history --add runs/20261125-160000-9f3a/result.json --output public/trends`,
		RunE: func(_ *cobra.Command, args []string) error {
			if !(minChange >= 0 && minChange <= 1000) {
				return exit.Invalidf(fmt.Sprintf("--min-change %g", minChange), "use 0 to 1000, in %", "it is out of range")
			}
			if !slices.Contains([]string{"png", "svg"}, format) {
				return exit.Invalidf("--plots "+format, "use png or svg", "there is no such format")
			}
			added, err := toAdd(args[0], add)
			if err != nil {
				return err
			}
			if output != "" && len(added) > 0 { // before anything is added: bad input leaves the history as it was
				if err := makeOutput(output); err != nil {
					return err
				}
			}
			for _, r := range added {
				if _, err := trend.Append(args[0], r); err != nil {
					return err
				}
			}
			runs, err := trend.Read(args[0])
			if err != nil {
				return err
			}
			list, err := trend.Trends(runs, minChange/100)
			if err != nil {
				return err
			}
			if output != "" {
				if err := writeTrends(output, format, list); err != nil {
					return err
				}
			}
			return campaign.TrendText(state.Stdout, list)
		},
	}
	flags := command.Flags()
	flags.StringSliceVar(&add, "add", nil, "result.json to add to the directory first; repeatable")
	flags.StringVar(&output, "output", "", "directory for trends.md and a plot of each series")
	flags.StringVar(&format, "plots", "svg", "format of the plots: png or svg")
	flags.Float64Var(&minChange, "min-change", 5, "least change in % that is worth a question")
	return command
}

// toAdd reads the results to add to a directory: all of them, or on bad input none.
func toAdd(dir string, files []string) ([]*result.Result, error) {
	if _, err := os.Stat(dir); err == nil && len(files) > 0 {
		if _, err := trend.Read(dir); err != nil && !errors.Is(err, trend.ErrEmpty) {
			return nil, err
		}
	}
	var list []*result.Result
	for _, path := range files {
		r, err := result.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := trend.Free(dir, r); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(other *result.Result) bool { return other.Run.ID == r.Run.ID }) {
			return nil, exit.Invalidf("--add "+path, "name each result once", "run %s is named twice", r.Run.ID)
		}
		list = append(list, r)
	}
	return list, nil
}

// makeOutput makes a directory and sees whether a file can be made in it.
func makeOutput(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = writable(filepath.Join(dir, "trends.md"))
	}
	if err != nil {
		return exit.Invalidf("--output "+dir, "name a directory that can be written", "%w", err)
	}
	return nil
}

// writeTrends writes Markdown and plots.
func writeTrends(dir, format string, list []trend.Series) error {
	if err := makeOutput(dir); err != nil {
		return err
	}
	return campaign.WriteTrends(dir, format, list)
}
