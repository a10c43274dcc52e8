package cli

import (
	"io"
	"slices"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/doctor"
	"gitlab.com/steamer/steamer/harness/exit"
)

func newDoctor(state *State) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use: "doctor", Short: "Check what a run depends on, and say how to fix what is wrong", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := choice("--format", format, "text", "json"); err != nil {
				return err
			}
			cache, err := state.Cache()
			if err != nil {
				return err
			}
			found := doctor.Examine(c.Context(), cache)
			if err := printed(state, format, found, func(w io.Writer) error { return doctor.Write(w, found) }); err != nil {
				return err
			}
			if slices.ContainsFunc(found, func(f doctor.Finding) bool { return !f.OK }) {
				return exit.Judged(exit.Environment)
			}
			return nil
		},
	}
	addFormat(command, &format)
	return command
}

func newSetup(state *State) *cobra.Command {
	var tests, bench bool
	command := &cobra.Command{
		Use: "setup", Short: "Install what a run needs and this machine lacks", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			purposes := []doctor.Purpose{doctor.ForRun}
			if tests || bench {
				purposes = nil
			}
			if tests {
				purposes = append(purposes, doctor.ForTest)
			}
			if bench {
				purposes = append(purposes, doctor.ForBench)
			}
			return doctor.Setup(c.Context(), state.Stderr, purposes...)
		},
	}
	command.Flags().BoolVar(&tests, "tests", false, "what the repository's own tests need, instead of a run")
	command.Flags().BoolVar(&bench, "bench", false,
		"what the comparison of load generators needs (wrk), instead of a run; left out where it cannot be installed")
	return command
}
