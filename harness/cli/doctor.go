package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/doctor"
	"gitlab.com/steamer/steamer/harness/exit"
)

func newDoctor(state *State) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check what a run depends on, and say how to fix what is wrong", Args: cobra.NoArgs,
		Long: "Looks at the engine, cgroups, capabilities, limits, disk, ports, registries and programs. Exit code 4 when a run could not start.",
		RunE: func(c *cobra.Command, _ []string) error {
			cache, err := state.cacheDir()
			if err != nil {
				return err
			}
			wrong := 0
			for _, f := range doctor.Examine(c.Context(), cache) {
				mark := "✓"
				if !f.OK {
					mark = "✗"
					wrong++
				}
				fmt.Fprintf(state.Stdout, "%s %-22s %s\n", mark, f.Name, f.Detail)
				if f.Hint != "" {
					fmt.Fprintf(state.Stdout, "  %-22s hint: %s\n", "", f.Hint)
				}
			}
			if wrong > 0 {
				return verdictError(exit.Environment)
			}
			return nil
		},
	}
}

func newSetup(state *State) *cobra.Command {
	var tests, bench bool
	command := &cobra.Command{
		Use: "setup", Short: "Install what a run needs and this machine lacks", Args: cobra.NoArgs,
		Long: "On Debian and Ubuntu as root, installs only the missing packages and prints each before it does.\n" +
			"Elsewhere it says exactly what to install.",
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
