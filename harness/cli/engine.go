package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/engine"
)

func newEngine(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "engine", Short: "Start and stop Steamer's private container engine",
	}, &cobra.Command{
		Use: "up", Short: "Find a running engine, or start a private one that stays",
		RunE: func(c *cobra.Command, _ []string) error {
			elsewhere, err := state.Elsewhere(c.Context())
			if err != nil {
				return err
			}
			if elsewhere {
				return state.Again(c.Context())
			}
			opts, err := state.EngineOptions()
			if err != nil {
				return err
			}
			e, err := engine.Detect(c.Context(), opts)
			if err != nil {
				return err
			}
			if e.Private {
				if err := state.Namespace.Keep(); err != nil {
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
		Use: "down", Short: "Stop the private engine",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := state.EnterExisting(c.Context(), false); err != nil {
				return err
			}
			return state.Namespace.Stop(c.Context()) // where there is none, nothing is left to do
		},
	})
}
