package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
)

func newMutants(state *State) *cobra.Command {
	f, list := &campaign.Mutants{}, false
	command := &cobra.Command{
		Use: "mutants", Short: "Prove that the scenarios can fail: break things on purpose and see which notice",
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) {
			root, err := plan.FindRoot(state.Root)
			if err != nil {
				return "", err
			}
			selected, err := f.Selected(root)
			if err != nil {
				return "", err
			}
			if list {
				return "", printed(state, selected, func(w io.Writer) error { return mutation.WriteList(w, selected) })
			}
			return f.Run(c.Context(), state, selected)
		}),
	}
	set := command.Flags()
	set.StringVar(&f.Pattern, "run", "", "only mutants whose ID matches this regular expression (RE2, unanchored)")
	set.BoolVar(&f.Local, "local", false, "only the mutants that need no cluster")
	set.IntVar(&f.Sample, "sample", 0, "of the mutants that need a cluster only as many, drawn by --seed (default: all)")
	set.Uint64Var(&f.Seed, "seed", 0, "seed of the sample, as its record has it (default: a new one)")
	set.BoolVar(&list, "list", false, "list the mutants and the scenarios that should catch them, and stop")
	addFormat(command, "with --list: ")
	under(command, "Mutants")
	set.StringVar(&f.Cluster, "cluster", "", chosenName+"; a kept one of yours is reused")
	set.IntVar(&f.Port, "port", 0, fmt.Sprintf(chosenPort, "OpenBao"))
	set.BoolVar(&f.Keep, "keep", false, "leave the cluster and the engine running")
	under(command, "Cluster")
	set.StringVar(&f.Markdown, "markdown", "", "file for the outcomes as Markdown")
	set.StringVar(&f.JSON, "json", "", "file for the outcomes as JSON, which steamer gate reads")
	set.StringVar(&f.Output, "output-dir", "runs/mutants", "directory for what explains failed scenarios")
	under(command, "Output")
	return command
}
