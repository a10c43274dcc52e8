package cli

import "github.com/spf13/cobra"

func newCharts(state *State) *cobra.Command {
	command := group(&cobra.Command{
		Use:   "charts",
		Short: "Check charts without a cluster; package and release this repository's",
	})
	command.AddCommand(newChartsCheck(state), newChartsRules(state), newChartsPackage(state), newChartsRelease(state))
	return command
}
