package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/plan"
)

// mutantsFlags are the flags of steamer mutants.
type mutantsFlags struct {
	campaign.Mutants
	format string
	list   bool
}

func newMutants(state *State) *cobra.Command {
	f := &mutantsFlags{}
	f.Output = filepath.Join(plan.Default(".").Output, "mutants")
	command := &cobra.Command{
		Use: "mutants", Short: "Prove that the scenarios can fail: break things on purpose and see which notice",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), state) },
	}
	addFlags(command, "Mutants", func(set *pflag.FlagSet) {
		set.StringVar(&f.Pattern, "run", "", "only mutants whose ID matches this regular expression (RE2, unanchored)")
		set.BoolVar(&f.Local, "local", false, "only the mutants that need no cluster")
		set.IntVar(&f.Sample, "sample", 0, "of the mutants that need a cluster only as many, drawn by --seed (default: all)")
		set.Uint64Var(&f.Seed, "seed", 0, "seed of the sample, as its record has it (default: a new one)")
		set.BoolVar(&f.list, "list", false, "list the mutants and the scenarios that should catch them, and stop")
		set.StringVarP(&f.format, "format", "o", "text", "with --list: text or json")
	})
	addFlags(command, "Cluster", func(set *pflag.FlagSet) {
		set.StringVar(&f.Cluster, "cluster", "", chosenName+"; a kept one of yours is reused")
		set.IntVar(&f.Port, "port", 0, fmt.Sprintf(chosenPort, "OpenBao"))
		set.BoolVar(&f.Keep, "keep", false, "leave the cluster and the engine running")
	})
	addFlags(command, "Output", func(set *pflag.FlagSet) {
		set.StringVar(&f.Markdown, "markdown", "", "file for the outcomes as Markdown")
		set.StringVar(&f.JSON, "json", "", "file for the outcomes as JSON, which steamer gate reads")
		set.StringVar(&f.Output, "output-dir", f.Output, "directory for what explains failed scenarios")
	})
	oldNames(command, planNames())
	return command
}

func (f *mutantsFlags) run(ctx context.Context, state *State) error {
	root, err := plan.FindRoot(state.Root)
	if err != nil {
		return err
	}
	list, err := f.Selected(root)
	if err != nil {
		return err
	}
	if f.list {
		return printed(state, f.format, list, func(w io.Writer) error { return mutation.WriteList(w, list) })
	}
	verdict, err := f.Run(ctx, state, list)
	return conclude(ctx, verdict, err)
}
