package compare

import (
	"fmt"
	"io"
	"strings"
)

// Benchmarks prints one arm's valid slices in Go's benchmark format, one line a
// slice, for whoever wants a second opinion: benchstat a.bench.txt b.bench.txt.
// benchstat compares the arms without their pairing, so it sees less than Judge.
func Benchmarks(w io.Writer, c *Comparison, arm string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "comparison: %s\nwhere: %s\nrate: %g\n", c.ID, c.Design.Where, c.Design.Rate)
	for _, p := range c.Pairs {
		if p.discarded() != "" {
			continue
		}
		s := p.A
		if arm == B {
			s = p.B
		}
		fmt.Fprintf(&b, "BenchmarkFetch/%s %d", c.Design.Mode, max(1, s.Fetches))
		for _, name := range Recorded() {
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
