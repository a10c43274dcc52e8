package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
)

type findingsFlags struct {
	campaign.Findings
	pattern string
	list    bool
	rounds  int
}

func newFindings(state *State) *cobra.Command {
	f := &findingsFlags{}
	command := &cobra.Command{
		Use: "findings", Short: "Run the experiments, and say what to change and by how much",
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) { return f.run(c.Context(), state) }),
	}
	set := command.Flags()
	set.StringVar(&f.pattern, "run", "", "only experiments whose ID matches this regular expression (RE2, unanchored)")
	set.IntVar(&f.rounds, "rounds", 0, "rounds of each experiment instead of its own, 6 to 50")
	set.StringSliceVar(&f.From, "from", nil,
		"run nothing: judge the experiments of these run directories again, and write the page of all")
	set.BoolVar(&f.list, "list", false, "list the experiments, and stop")
	addFormat(command, "with --list: ")
	under(command, "Experiments")
	set.StringVar(&f.Markdown, "markdown", "", "file for the page")
	set.StringVar(&f.Output, "output-dir", "runs", "directory that the run's directory is made in")
	under(command, "Output")
	return command
}

func (f *findingsFlags) run(ctx context.Context, state *State) (result.Verdict, error) {
	root, err := plan.FindRoot(state.Root)
	if err != nil {
		return "", err
	}
	if f.Experiments, err = findings.Read(root, f.pattern); err != nil {
		return "", err
	}
	if f.rounds != 0 {
		if err := plan.Bound("rounds", f.rounds, 6, 50); err != nil {
			return "", err
		}
		for i := range f.Experiments {
			f.Experiments[i].Rounds = f.rounds
		}
	}
	if f.list {
		return "", printed(state, f.Experiments, func(w io.Writer) error { return findings.WriteList(w, f.Experiments) })
	}
	return f.Run(ctx, state)
}
