package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/trend"
)

type trendFlags struct {
	add            []string
	output, format string
	minChange      float64
}

func newTrend(state *State) *cobra.Command {
	f := &trendFlags{format: "svg"}
	command := &cobra.Command{
		Use: "trend DIR", Short: "Find when a metric changed across nightly results",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return f.run(state, args[0]) },
	}
	flags := command.Flags()
	flags.StringSliceVar(&f.add, "add", nil, "result.json to add to the directory first; repeatable")
	flags.StringVar(&f.output, "output-dir", "", "directory for trends.md, trends.json and a plot of each series")
	choose(flags, &f.format, "plots", "", "format of the plots: png or svg", "svg", "png")
	flags.Float64Var(&f.minChange, "min-change", 5, "smallest change in % that is reported")
	under(command, "Flags")
	addRecord(command, nil, "")
	return command
}

func (f *trendFlags) run(state *State, dir string) error {
	if !(f.minChange >= 0 && f.minChange <= 1000) {
		return exit.Invalidf(fmt.Sprintf("--min-change %g", f.minChange), "use 0 to 1000, in %", "it is out of range")
	}
	added, err := trend.ToAdd(dir, f.add)
	if err == nil && len(added) > 0 { // before anything is added: bad input leaves the history as it was
		err = f.makeOutput()
	}
	for _, r := range added {
		if err == nil {
			_, err = trend.Append(dir, r)
		}
	}
	if err != nil {
		return err
	}
	runs, err := trend.Read(dir)
	if err != nil {
		return err
	}
	list, err := trend.Trends(runs, f.minChange/100)
	if err != nil {
		return err
	}
	if f.output != "" {
		err := f.makeOutput()
		if err == nil {
			err = pages.WriteTrends(f.output, f.format, list)
		}
		if err != nil {
			return err
		}
	}
	if state.JSON {
		return pages.TrendJSON(state.Stdout, list)
	}
	return pages.TrendText(state.Stdout, list)
}

// makeOutput makes the directory for the page, and refuses one that cannot be written.
func (f *trendFlags) makeOutput() error {
	if f.output == "" {
		return nil
	}
	if err := session.MakeDirectory(f.output); err != nil {
		return err
	}
	return session.Writable("--output-dir", filepath.Join(f.output, "trends.md"))
}
