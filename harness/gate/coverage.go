package gate

import (
	"fmt"
	"slices"
	"strings"
)

// Gaps says what is wrong with a file that reads well: an entry that can never
// apply because an earlier one takes everything it would match, an entry
// without a latency limit that is judged (its runs end INCONCLUSIVE), and rates
// of tiers without an entry. tiers are fetches per second.
func (s *SLO) Gaps(tiers []float64) []string {
	var out []string
	for j, later := range s.Entries {
		for i, earlier := range s.Entries[:j] {
			if earlier.covers(later) {
				out = append(out, fmt.Sprintf("entries[%d] never applies: entries[%d] matches everything that it would", j, i))
				break
			}
		}
		if !slices.ContainsFunc(later.Limits, func(l Limit) bool { return strings.HasPrefix(l.Metric, "fetch_") && !l.Informational }) {
			out = append(out, fmt.Sprintf("entries[%d] has no latency limit that is judged: its runs end INCONCLUSIVE", j))
		}
	}
	for _, tier := range tiers {
		if !slices.ContainsFunc(s.Entries, func(e Entry) bool { return len(e.Tier) == 0 || slices.Contains(e.Tier, tier) }) {
			out = append(out, fmt.Sprintf("no entry for tier %v: its runs end INCONCLUSIVE", tier))
		}
	}
	return out
}

// covers reports whether e matches whatever o matches. Version ranges are
// compared as text, so a covering range that is written differently is not seen.
func (e Entry) covers(o Entry) bool {
	tiers := len(e.Tier) == 0 || len(o.Tier) > 0 && !slices.ContainsFunc(o.Tier, func(t float64) bool { return !slices.Contains(e.Tier, t) })
	all := func(s string) bool { return s == "" || s == Any }
	return tiers && (all(e.Topology) || e.Topology == o.Topology) && (e.Mode == "" || e.Mode == o.Mode) &&
		(e.Chart == "" || e.Chart == o.Chart) && (e.OpenBao == "" || e.OpenBao == o.OpenBao)
}
