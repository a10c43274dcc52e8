package report

import (
	"fmt"
	"io"
	"strings"

	"gitlab.com/steamer/steamer/harness/compare"
)

// benchmarks prints one arm's valid slices in Go's benchmark format, one line a
// slice, for whoever wants a second opinion: benchstat a.bench.txt b.bench.txt.
// benchstat compares the arms without their pairing, so it sees less than Steamer.
func benchmarks(w io.Writer, c *compare.Comparison, arm string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "comparison: %s\nwhere: %s\nrate: %g\n", c.ID, c.Design.Where, c.Design.Rate)
	for _, p := range c.Pairs {
		if discarded, _ := compare.Discarded([]compare.Pair{p}); discarded > 0 {
			continue
		}
		s := p.A
		if arm == compare.B {
			s = p.B
		}
		fmt.Fprintf(&b, "BenchmarkFetch/%s %d", c.Design.Mode, max(1, s.Fetches))
		for _, name := range compare.Recorded() {
			v, ok := s.Values[name]
			if !ok {
				continue
			}
			unit := name
			if short, isTime := strings.CutSuffix(name, "_ms"); isTime {
				v, unit = v*1e6, short+"-ns" // which benchstat scales
			} else if short, isTime := strings.CutSuffix(name, "_ms_per_fetch"); isTime {
				v, unit = v*1e6, short+"-ns"
			}
			fmt.Fprintf(&b, " %g %s", v, strings.ReplaceAll(unit, "_", "-"))
		}
		fmt.Fprintln(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
