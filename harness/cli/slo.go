package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/topology"
)

func newSLO(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "slo", Short: "Check the file of objectives, and say which of them judge a run",
	}, newSLOCheck(state), newSLOExplain(state))
}

func newSLOCheck(state *State) *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE]", Short: "Check a file of objectives: entries that never apply, tiers without one",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path, slo, err := state.SLO(strings.Join(args, ""))
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(state.Stdout, 0, 0, 2, ' ', 0)
			for i, e := range slo.Entries {
				fmt.Fprintf(table, "entries[%d]\t%s\t%d limits\n", i, e.Conditions(), len(e.Limits))
			}
			if err := table.Flush(); err != nil {
				return err
			}
			for i, o := range slo.Outages {
				fmt.Fprintf(table, "outages[%d]\t%s\tlongest %g s, sum %g s, failed %g %%\n", i, o, o.Longest, o.Sum, o.Failed)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			var rates []float64
			for _, tier := range load.Tiers() {
				rates = append(rates, tier.Rate)
			}
			gaps := slo.Gaps(rates)
			for _, gap := range gaps {
				fmt.Fprintln(state.Stdout, "✗", gap)
			}
			if len(gaps) > 0 {
				return exit.Judged(exit.Fail)
			}
			fmt.Fprintf(state.Stdout, "%s: sound\n", path)
			return nil
		},
	}
}

func newSLOExplain(state *State) *cobra.Command {
	var file string
	u := judge.Subject{Topology: topology.CloudNative}
	command := &cobra.Command{
		Use: "explain", Short: "Show the entry that would judge a run, and why the ones before it would not",
		RunE: func(*cobra.Command, []string) error {
			path, slo, err := state.SLO(file)
			if err != nil {
				return err
			}
			if _, err := load.TierNamed(u.Tier); err != nil {
				return err
			}
			if found, err := report.ExplainSLO(state.Stdout, path, slo, u); err != nil || found {
				return err
			}
			return exit.Judged(exit.Inconclusive)
		},
	}
	flags := command.Flags()
	flags.StringVar(&file, "slo", "", "file of objectives (default: perf/slo.yaml)")
	flags.StringVar(&u.Chart, "chart-version", "", "version of the chart")
	flags.StringVar(&u.OpenBao, "openbao-version", "", "version of OpenBao")
	choose(flags, &u.Topology, "topology", "", strings.Join(topology.Names(), " or "), topology.Names()...)
	flags.StringVar(&u.Tier, "tier", "12", "GitLab sizing tier, by its fetches per second")
	flags.StringVar(&u.Mode, "mode", load.Inline, "what the load does: "+strings.Join(load.ProfileModes(), ", "))
	return command
}
