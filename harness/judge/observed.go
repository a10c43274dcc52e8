package judge

import (
	"fmt"

	"gitlab.com/steamer/steamer/harness/result"
)

// maxObserver is how many CPU cores observing may use: what it takes, it takes from the chart on a
// shared host.
const maxObserver = 0.02

// maxGeneratorThrottled is the largest mean share of throttled CFS periods of a load generator's
// container. One that is held back starts and times fetches late.
const maxGeneratorThrottled = 0.05

// throttlingUnknown costs a run no PASS, but excuses a latency that is too long.
const throttlingUnknown = "the kubelet's summary does not tell whether the load generators' pods were held back by " +
	"their CPU limit"

// observing judges what the measurement itself did: k6 in pods must not be held back by its own
// limit, and observing has to stay cheap. The latter is shown only, since the display of progress
// is in the number as well.
func (v Validity) observing(t *result.Topology) []result.Check {
	var out []result.Check
	worst, pods, coarse := 0.0, 0, false
	for i := range t.Resources {
		if s := &t.Resources[i]; s.Component == "k6" {
			coarse = coarse || s.Coarse && s.CPULimit > 0
			share, ok := s.MeanThrottled(t.Load.Whole())
			if worst = max(worst, share); ok || s.Coarse {
				pods++
			}
		}
	}
	if len(t.Load.Parts) > 0 {
		c := check(idThrottling, "CPU throttling of the load generators", Percent(worst),
			"<= "+Percent(maxGeneratorThrottled),
			pods >= len(t.Load.Parts) && !coarse && worst <= maxGeneratorThrottled,
			fmt.Sprintf("a load generator was throttled in %s of its CPU periods: raise its limit, or use more of them",
				Percent(worst)))
		if pods < len(t.Load.Parts) && worst <= maxGeneratorThrottled {
			c.Measured, c.Reason, c.Informational = "unknown", "the load generators' pods were not all observed",
				v.UnobservedGenerators
		} else if coarse {
			c.Measured, c.Reason, c.Informational = "unknown", throttlingUnknown, true
		}
		out = append(out, c)
	}
	if t.Observer != nil {
		cores := t.Observer.Cores()
		c := check("valid/observer", "CPU of observing, in cores", num(cores), "<= "+num(maxObserver), cores <= maxObserver,
			fmt.Sprintf("observing used %s of a core", Percent(cores)))
		c.Headroom, c.Informational = headroom(cores, maxObserver), true
		out = append(out, c)
	}
	return out
}
