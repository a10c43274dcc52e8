package cli

import (
	"math/rand/v2"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/faults/protocol"
)

// faultsProtocolFlags are the flags of steamer faults protocol.
type faultsProtocolFlags struct {
	campaign.Protocol
	files []string
}

func newFaultsProtocol(state *State) *cobra.Command {
	f := &faultsProtocolFlags{Protocol: campaign.Protocol{Options: protocol.Options{Parallel: 3}}}
	command := &cobra.Command{
		Use: "protocol", Short: "Let each request of Rails' sequences fail, and tell who can read what", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, state) },
	}
	addFlags(command, "Rows", func(set *pflag.FlagSet) {
		set.StringSliceVar(&f.Only, "only", nil, "patterns PROTOCOL/CASE/REQUEST/FAULT, a shorter one for all below it; "+
			"-PATTERN leaves out (default: all)")
		set.StringSliceVar(&f.files, "protocol", nil, "further protocols, files")
		set.Uint64Var(&f.Seed, "seed", 0, "seed of values and of the moments of kills (default: a new one)")
		set.IntVar(&f.Parallel, "parallel", f.Parallel, "rows at a time, each on two OpenBao and a PostgreSQL of its own")
	})
	addFlags(command, "Output", func(set *pflag.FlagSet) {
		set.StringVar(&f.Output, "output-dir", "runs", "directory below which a directory for the files is made")
	})
	addRecordFormat(command, state)
	return command
}

func (f *faultsProtocolFlags) run(c *cobra.Command, state *State) error {
	if !c.Flags().Changed("seed") {
		f.Seed = rand.Uint64()
	}
	var err error
	if f.Protocols, err = protocol.Read(f.files...); err != nil {
		return err
	}
	if err := f.Validate(); err != nil {
		return err
	}
	verdict, err := f.Run(c.Context(), state)
	return conclude(c.Context(), verdict, err)
}
