package capacity

import "fmt"

// String is a point in a line.
func (p Point) String() string {
	return fmt.Sprintf("%-7s %7.1f/s offered, %7.1f/s achieved, p95 %.1f ms, p99 %.1f ms, OpenBao %.2f, PostgreSQL %.2f, "+
		"k6 %.2f cores: %s %s", p.Phase, p.Rate, p.Achieved, p.P95, p.P99, p.OpenBao.Cores, p.PostgreSQL.Cores, p.Generator,
		p.Outcome, p.Reason)
}
