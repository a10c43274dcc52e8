package cli

import (
	"io"
	"slices"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/doctor"
	"gitlab.com/steamer/steamer/harness/exit"
)

func newDoctor(state *State) *cobra.Command {
	command := &cobra.Command{
		Use: "doctor", Short: "Check what a run depends on, and say how to fix what is wrong",
		RunE: func(c *cobra.Command, _ []string) error {
			cache, err := state.Cache()
			if err != nil {
				return err
			}
			found := doctor.Examine(c.Context(), cache)
			err = printed(state, found, func(w io.Writer) error { return doctor.Write(w, found) })
			if err == nil && slices.ContainsFunc(found, func(f doctor.Finding) bool { return !f.OK }) {
				err = exit.Judged(exit.Environment)
			}
			return err
		},
	}
	addFormat(command, "")
	return command
}

func newSetup(state *State) *cobra.Command {
	var tests, bench bool
	command := &cobra.Command{
		Use: "setup", Short: "Install what a run needs and this machine lacks",
		RunE: func(c *cobra.Command, _ []string) error {
			var purposes []doctor.Purpose
			if tests {
				purposes = append(purposes, doctor.ForTest)
			}
			if bench {
				purposes = append(purposes, doctor.ForBench)
			}
			if purposes == nil {
				purposes = append(purposes, doctor.ForRun)
			}
			return doctor.Setup(c.Context(), state.Stderr, purposes...)
		},
	}
	command.Flags().BoolVar(&tests, "tests", false, "what the repository's own tests need, instead of a run")
	command.Flags().BoolVar(&bench, "bench", false,
		"what the comparison of load generators needs (wrk), instead of a run; left out where it cannot be installed")
	return command
}
