package judge

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Reading is the value of a metric, or why there is none.
type Reading struct {
	Title   string
	Value   float64
	Unit    string // "ms", "MiB" or "%"
	Missing string // why there is no value; empty where there is one
}

// Read evaluates one of Metrics, but wrong_values and achieved_ratio, on a
// topology with load. Another name is an error of code exit.Invalid.
func Read(metric string, t *result.Topology) (Reading, error) {
	if !slices.Contains(Metrics(), metric) || metric == wrongValues || metric == achievedRatio {
		return Reading{}, exit.Invalidf("metric "+metric, "docs/reference/metrics.md lists the metrics",
			"there is no such metric of one measurement")
	}
	r := read(metric, t)
	return Reading{Title: r.title, Value: r.value, Unit: r.unit, Missing: r.missing}, nil
}

// Conditions evaluates the validity conditions on a topology with load, for
// judges of shorter measurements than a whole run's.
func (v Validity) Conditions(t *result.Topology) []result.Check { return v.conditions(t, result.Run{}) }
