package judge

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/load"
)

// unloaded is the topology in which runs install nothing and load nothing.
const unloaded = "full-stack"

// Gaps says what is wrong with a file that reads well: an entry that can never apply because an
// earlier one takes everything it would match, an entry without a latency limit that is judged
// (its runs end INCONCLUSIVE), and rates of tiers without an entry for inline fetches in one of
// the topologies with load. tiers are fetches per second. Of outages, budgets that never apply and
// changes without one.
func (s *SLO) Gaps(tiers []float64) []string {
	var out []string
	for j, later := range s.Entries {
		for i, earlier := range s.Entries[:j] {
			if earlier.covers(later) {
				out = append(out, fmt.Sprintf("entries[%d] never applies: entries[%d] matches everything that it would", j, i))
				break
			}
		}
		if !slices.ContainsFunc(later.Limits, func(l Limit) bool {
			return strings.HasPrefix(l.Metric, "fetch_") &&
				!l.Informational
		}) {
			out = append(out, fmt.Sprintf("entries[%d] has no latency limit that is judged: its runs end INCONCLUSIVE", j))
		}
	}
	topologies := slices.DeleteFunc(Topologies(), func(name string) bool { return name == unloaded })
	for _, tier := range tiers {
		without := slices.DeleteFunc(slices.Clone(topologies), func(name string) bool {
			return slices.ContainsFunc(s.Entries, func(e Entry) bool { return e.serves(name, tier) })
		})
		where := ""
		if len(without) < len(topologies) {
			where = " in " + strings.Join(without, ", ")
		}
		if len(without) > 0 {
			out = append(out, fmt.Sprintf("no entry for tier %v%s: its runs end INCONCLUSIVE", tier, where))
		}
	}
	return append(out, s.outageGaps()...)
}

// serves reports whether e is for inline fetches of a tier in a topology, of some versions at
// least. An entry of another mode, such as that of GitLab's writes, is for all tiers and says
// nothing about fetches.
func (e Entry) serves(topology string, tier float64) bool {
	e.Chart, e.OpenBao = "", ""
	return e.Vault == "" && e.covers(Entry{Topology: topology, Mode: load.Inline, Tier: []float64{tier}})
}

// covers reports whether e matches whatever o matches. Version ranges are
// compared as text, so a covering range that is written differently is not seen.
func (e Entry) covers(o Entry) bool {
	tiers := len(e.Tier) == 0 || len(o.Tier) > 0 && !slices.ContainsFunc(o.Tier,
		func(t float64) bool { return !slices.Contains(e.Tier, t) })
	all := func(s string) bool { return s == "" || s == Any }
	return tiers && (all(e.Topology) || e.Topology == o.Topology) && (e.Mode == "" || e.Mode == o.Mode) &&
		(e.Chart == "" || e.Chart == o.Chart) && (e.OpenBao == "" || e.OpenBao == o.OpenBao) &&
		(e.Vault == "" || e.Vault == o.Vault)
}
