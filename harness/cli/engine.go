package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/engine"
)

func newEngine(state *State) *cobra.Command {
	command := group(&cobra.Command{Use: "engine", Short: "Start and stop Steamer's private container engine"})
	command.AddCommand(&cobra.Command{
		Use: "up", Short: "Find a running engine, or start a private one that stays", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			elsewhere, err := state.elsewhere(c.Context())
			if err != nil {
				return err
			}
			if elsewhere {
				return state.begin(c.Context(), handover{})
			}
			opts, err := state.engineOptions()
			if err != nil {
				return err
			}
			e, err := engine.Detect(c.Context(), opts)
			if err != nil {
				return err
			}
			if e.Private {
				if err := state.namespace.Keep(); err != nil {
					return err
				}
			}
			fmt.Fprintln(state.Stdout, e)
			for _, variable := range e.Environ() {
				fmt.Fprintln(state.Stdout, "export "+variable)
			}
			return nil
		},
	}, &cobra.Command{
		Use: "down", Short: "Stop the private engine", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := state.enterExisting(c.Context(), false); err != nil {
				return err
			}
			return state.namespace.Stop(c.Context()) // where there is none, that is what was asked for
		},
	})
	return command
}
