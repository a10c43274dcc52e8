package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/plan"
)

type findingsFlags struct {
	campaign.Findings
	pattern, format string
	list            bool
	rounds          int
}

func newFindings(state *State) *cobra.Command {
	f := &findingsFlags{}
	f.Output = "runs"
	command := &cobra.Command{
		Use: "findings", Short: "Run the experiments, and say what to change and by how much",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), state) },
	}
	addFlags(command, "Experiments", func(set *pflag.FlagSet) {
		set.StringVar(&f.pattern, "run", "", "only experiments whose ID matches this regular expression (RE2, unanchored)")
		set.IntVar(&f.rounds, "rounds", 0, "rounds of each experiment instead of its own, 6 to 50")
		set.StringSliceVar(&f.From, "from", nil,
			"run nothing: judge the experiments of these run directories again, and write the page of all")
		set.BoolVar(&f.list, "list", false, "list the experiments, and stop")
		set.StringVarP(&f.format, "format", "o", "text", "with --list: text or json")
	})
	addFlags(command, "Output", func(set *pflag.FlagSet) {
		set.StringVar(&f.Markdown, "markdown", "", "file for the page")
		set.StringVar(&f.Output, "output-dir", f.Output, "directory that the run's directory is made in")
	})
	oldNames(command, planNames())
	return command
}

func (f *findingsFlags) run(ctx context.Context, state *State) error {
	root, err := plan.FindRoot(state.Root)
	if err != nil {
		return err
	}
	if f.Experiments, err = findings.Read(root, f.pattern); err != nil {
		return err
	}
	if f.rounds != 0 {
		if err := bound("rounds", f.rounds, 6, 50); err != nil {
			return err
		}
		for i := range f.Experiments {
			f.Experiments[i].Rounds = f.rounds
		}
	}
	if f.list {
		return printed(state, f.format, f.Experiments, func(w io.Writer) error {
			return findings.WriteList(w, f.Experiments)
		})
	}
	verdict, err := f.Run(ctx, state)
	return conclude(ctx, verdict, err)
}
