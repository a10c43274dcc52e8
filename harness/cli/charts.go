package cli

import "github.com/spf13/cobra"

func newCharts(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "charts", Short: "Check charts without a cluster; package and release this repository's",
		Example: "  steamer charts check ./my-chart\n  steamer charts rules --explain security/pod-security",
	}, newChartsCheck(state), newChartsRules(state), newChartsPackage(state), newChartsRelease(state))
}
