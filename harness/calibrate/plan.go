package calibrate

import (
	"cmp"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
)

// Plan says how many comparisons to make.
type Plan struct {
	Same    int       // of the system with itself, 1 or more
	Effects []float64 // delays to inject into B, as shares of the median latency, e.g. 0.1
	Limits  []float64 // cores to limit B's OpenBao to, e.g. 0.5
	Each    int       // comparisons for each effect and each limit
}

// Check refuses plans that say nothing.
func (p Plan) Check() error {
	switch {
	case p.Same < 1 || p.Same > 1000:
		return exit.Invalidf(fmt.Sprintf("--same %d", p.Same), "use 1 to 1000",
			"the median latency and the noise come from comparisons of the system with itself")
	case p.Each < 0 || p.Each > 1000:
		return exit.Invalidf(fmt.Sprintf("--each %d", p.Each), "use 0 to 1000", "it is out of range")
	}
	for _, e := range p.Effects {
		if !(e > 0 && e <= 10) {
			return exit.Invalidf(fmt.Sprintf("--effect %g", 100*e), "use more than 0 and at most 1000, in %",
				"it is out of range")
		}
	}
	for _, cores := range p.Limits {
		if !(cores >= 0.01 && cores <= 1024) {
			return exit.Invalidf(fmt.Sprintf("--cpu-limit %g", cores), "use 0.01 to 1024 cores", "it is out of range")
		}
	}
	return nil
}

// treatment is what is done to B; the zero value is nothing.
type treatment struct {
	Effect float64 // share of the median latency added to it
	CPUs   float64 // cores that OpenBao is limited to; 0 is no limit
}

// treatments are those of all comparisons in order: nothing first, then the regressions in turns,
// so that a change of the machine does not fall on one of them alone.
func (p Plan) treatments() []treatment {
	all := make([]treatment, p.Same)
	for range p.Each {
		for _, effect := range p.Effects {
			all = append(all, treatment{Effect: effect})
		}
		for _, cores := range p.Limits {
			all = append(all, treatment{CPUs: cores})
		}
	}
	return all
}

// treated is what was done to B of a comparison.
func treated(doc *compare.Comparison) treatment { return treatment{doc.B.Injected, doc.B.CPUs} }

// delay is none without an effect, also where no median is known yet, which stats.Median says by
// NaN.
func (t treatment) delay(median float64) time.Duration {
	if t.Effect == 0 {
		return 0
	}
	return time.Duration(t.Effect * median * float64(time.Millisecond))
}

func (t treatment) what(median float64) string {
	switch {
	case t.CPUs > 0:
		return "B " + Label(t.Effect, t.CPUs)
	case t.Effect > 0:
		return fmt.Sprintf("B slower by %g %% of the median, %s", 100*t.Effect, t.delay(median))
	}
	return Label(t.Effect, t.CPUs)
}

// Label names what was done to B: slower by a share of the median, limited to some cores, or with
// both 0 nothing.
func Label(effect, cpus float64) string {
	switch {
	case cpus > 0:
		return fmt.Sprintf("limited to %g cores", cpus)
	case effect > 0:
		return fmt.Sprintf("%g %% slower", 100*effect)
	}
	return "the system with itself"
}

// compare orders treatments from none over delays to limits, the milder first.
func (t treatment) compare(other treatment) int {
	return cmp.Or(cmp.Compare(t.Effect, other.Effect), cmp.Compare(other.CPUs, t.CPUs))
}

// Resume sorts the comparisons of an interrupted campaign by their number in the plan; number
// reads it from an ID. Errors are of code exit.Invalid: a comparison that is not of this plan and
// design must not be counted with it.
func (p Plan) Resume(list []*compare.Comparison, d compare.Design, number func(id string) (int, bool)) (
	map[int]*compare.Comparison, error,
) {
	all := p.treatments()
	done := map[int]*compare.Comparison{}
	for _, doc := range list {
		n, ok := number(doc.ID)
		switch {
		case !ok || n < 1 || n > len(all) || done[n] != nil:
			return nil, exit.Invalidf("--resume", "resume with the flags that the campaign began with",
				"%s is none of its %d comparisons", doc.ID, len(all))
		case !sameDesign(d, doc.Design):
			return nil, exit.Invalidf("--resume", "resume with the flags that the campaign began with",
				"the design of %s is another one", doc.ID)
		case treated(doc) != all[n-1]:
			return nil, exit.Invalidf("--resume", "resume with the flags that the campaign began with",
				"%s has another regression than the plan gives it", doc.ID)
		}
		if !doc.Partial {
			done[n] = doc
		}
	}
	return done, nil
}
