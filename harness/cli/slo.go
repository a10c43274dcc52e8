package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/topology"
)

func newSLO(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "slo", Short: "Check the file of objectives, and say which of them judge a run",
		Example: "  steamer slo check my-slo.yaml\n  steamer slo explain --openbao-version 2.4.0 --tier 12",
	}, newSLOCheck(state), newSLOExplain(state))
}

func newSLOCheck(state *State) *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE]", Short: "Check a file of objectives: entries that never apply, tiers without one",
		Args: cobra.MaximumNArgs(1),
		Long: `Reads FILE (default: perf/slo.yaml) as a run does: unknown fields, metrics, topologies, version ranges and
limits without a source are refused with exit code 3. Then looks for what reads well and is wrong all the
same, with exit code 1: an entry that an earlier one hides, an entry that judges no latency, a tier of
GitLab's sizing table without an entry.`,
		Example: "  steamer slo check\n  steamer slo check my-slo.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			path, slo, err := state.SLO(strings.Join(args, ""))
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(state.Stdout, 0, 0, 2, ' ', 0)
			for i, e := range slo.Entries {
				fmt.Fprintf(table, "entries[%d]\t%s\t%d limits\n", i, conditions(e), len(e.Limits))
			}
			if err := table.Flush(); err != nil {
				return err
			}
			gaps := slo.Gaps(rates())
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
	u := judge.Subject{}
	command := &cobra.Command{
		Use: "explain", Short: "Show the entry that would judge a run, and why the ones before it would not",
		Args: cobra.NoArgs,
		Example: `  steamer slo explain --openbao-version 2.4.0 --tier 12 --topology cloud-native
  steamer slo explain --chart-version 0.12.3 --openbao-version 2.5.1 --tier 150 --topology cloud-native-hybrid --slo my-slo.yaml`,
		RunE: func(*cobra.Command, []string) error {
			path, slo, err := state.SLO(file)
			if err != nil {
				return err
			}
			if err := choice("--topology", u.Topology, topology.Names()...); err != nil {
				return err
			}
			if _, err := load.TierNamed(u.Tier); err != nil {
				return err
			}
			return explainSLO(state.Stdout, path, slo, u)
		},
	}
	flags := command.Flags()
	flags.StringVar(&file, "slo", "", "file of objectives (default: perf/slo.yaml)")
	flags.StringVar(&u.Chart, "chart-version", "", "version of the chart")
	flags.StringVar(&u.OpenBao, "openbao-version", "", "version of OpenBao")
	flags.StringVar(&u.Topology, "topology", topology.CloudNative, strings.Join(topology.Names(), " or "))
	flags.StringVar(&u.Tier, "tier", "12", "GitLab sizing tier, by its fetches per second")
	flags.StringVar(&u.Mode, "mode", load.Inline, "what the load does: "+strings.Join(load.ProfileModes(), ", "))
	oldNames(command, map[string]string{"chart": "chart-version", "openbao": "openbao-version"})
	return command
}

// rates are the tiers of GitLab's sizing table in fetches per second.
func rates() []float64 {
	var out []float64
	for _, t := range load.Tiers() {
		out = append(out, t.Rate)
	}
	return out
}

// conditions says what an entry matches.
func conditions(e judge.Entry) string {
	var parts []string
	for _, c := range [][2]string{{"chart", e.Chart}, {"OpenBao", e.OpenBao}, {"topology", e.Topology}, {"mode", e.Mode}} {
		if c[1] != "" {
			parts = append(parts, c[0]+" "+c[1])
		}
	}
	if len(e.Tier) > 0 {
		parts = append(parts, "tier "+strings.Trim(fmt.Sprint(e.Tier), "[]"))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, ", ")
}

func explainSLO(w io.Writer, path string, slo *judge.SLO, u judge.Subject) error {
	found := slo.Find(u)
	if found < 0 {
		fmt.Fprintf(w, "No entry of %s judges it: the run would end INCONCLUSIVE.\n", path)
	}
	for i, e := range slo.Entries {
		if i == found {
			break
		}
		fmt.Fprintf(w, "entries[%d] does not apply: %s\n", i, e.Mismatch(u))
	}
	if found < 0 {
		return exit.Judged(exit.Inconclusive)
	}
	e, extra := slo.Entries[found], slo.EnvironmentLatencyOf(found)
	needs := map[string]time.Duration{}
	if rate, err := strconv.ParseFloat(u.Tier, 64); err == nil {
		for _, s := range e.Supports(judge.Drive{Rate: rate, Seconds: time.Hour.Seconds()}) {
			needs[s.Limit.Metric] = s.Needs
		}
	}
	fmt.Fprintf(w, "entries[%d] of %s judges it: %s\n\n", found, path, conditions(e))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range e.Limits {
		limit, note := strconv.FormatFloat(l.Limit, 'g', -1, 64), ""
		if extra > 0 && strings.HasPrefix(l.Metric, "fetch_") {
			limit += fmt.Sprintf(" + %g", extra)
		}
		if l.Informational {
			note = "shown, not judged; "
		}
		if d, ok := needs[l.Metric]; ok {
			note += fmt.Sprintf("to hold it takes %s of load; ", d)
		}
		fmt.Fprintf(table, "%s\t%s %s\t%s%s\n", l.Metric, l.Op, limit, note, l.Source)
	}
	for _, z := range slo.Sizing {
		if strconv.FormatFloat(z.Tier, 'g', -1, 64) == u.Tier {
			fmt.Fprintf(table, "\t\t\nsized as\t%s CPU, %s memory, %d pods\t%s\n", z.CPURequest, z.Memory, z.Pods, z.Source)
		}
	}
	for _, r := range slo.Reference {
		fmt.Fprintf(table, "%s\tnormal %s\tnot seen by a client, not judged; %s\n", r.Metric, r.Normal, r.Source)
	}
	return table.Flush()
}
