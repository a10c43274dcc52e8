package capacity

import (
	"fmt"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
)

// Outcome is what one run says about its rate.
type Outcome string

// The outcomes. Only Held and Broken say something about the server.
const (
	Held             Outcome = "held"      // every objective was met and the measurement is valid
	outcomeBroken    Outcome = "broken"    // an objective was missed, or the server did not keep up with the schedule
	outcomeGenerator Outcome = "generator" // the generator itself was saturated
	outcomeDisturbed Outcome = "disturbed" // a restart, a change of leadership or missing samples: nothing can be said
	outcomeWrong     Outcome = "wrong"     // a fetch was answered with a wrong value
)

// Point is one run of a search. Latencies are in milliseconds from the intended start, CPU in
// cores while measuring.
type Point struct {
	Phase      string          `json:"phase"` // search or confirm
	Rate       float64         `json:"rate"`  // offered, fetches per second
	Achieved   float64         `json:"achieved"`
	Seconds    float64         `json:"seconds"` // measured
	Fetches    int64           `json:"fetches"`
	Failed     int64           `json:"failed"`
	Dropped    int64           `json:"dropped"`
	Mean       float64         `json:"mean"`
	P50        float64         `json:"p50"`
	P95        float64         `json:"p95"`
	P99        float64         `json:"p99"`
	OpenBao    Component       `json:"openbao"`
	PostgreSQL Component       `json:"postgresql"`
	Generator  float64         `json:"generator"`        // cores
	Others     *float64        `json:"others,omitempty"` // cores of everything else on the host; nil: unknown
	Pool       *target.PoolUse `json:"pool,omitempty"`
	Outcome    Outcome         `json:"outcome"`
	Reason     string          `json:"reason,omitempty"`  // why it is not held
	Partial    bool            `json:"partial,omitempty"` // cut off
}

// Component is the CPU use of all containers or processes of one component.
type Component struct {
	Cores     float64 `json:"cores"`
	Limit     float64 `json:"limit,omitempty"` // of the busiest one, in cores; 0 is none
	Busiest   float64 `json:"busiest"`         // cores of the busiest one
	Throttled float64 `json:"throttled"`       // of the busiest one: share of CFS periods, 0 to 1
	MemoryMiB float64 `json:"memoryMiB"`       // peak of the largest one
	// Unknown is true where one of them was not observed throughout: the other fields are then of
	// those that were.
	Unknown bool `json:"unknown,omitempty"`
}

// fatal is the reason to end the search, nil for an outcome that says something about the rate.
func (p Point) fatal() error {
	switch p.Outcome {
	case outcomeGenerator:
		return errGenerator
	case outcomeWrong:
		return errWrong
	default:
		return nil
	}
}

// judge derives the point from what was seen, by the gate's own rules.
func (s *search) judge(o target.Observation, phase string, rate float64) Point {
	t := o.Topology
	r := result.Result{Run: result.Run{Tier: s.Tier}, Topologies: []result.Topology{t}}
	validity := judge.DefaultValidity()
	validity.FallMayBe = true
	judge.Judge(&r, judge.Policy{SLO: s.SLO, Validity: validity, Expect: judge.Expect{Load: true}, ByEstimate: true})
	l := t.Load
	p := Point{
		Phase: phase, Rate: rate, Achieved: l.Achieved(), Seconds: l.MeasuredSeconds, Fetches: l.Fetches, Failed: l.Failed,
		Dropped: l.Dropped,
		Mean:    l.Intended.Mean, P50: l.Intended.P50, P95: l.Intended.P95, P99: l.Intended.P99, Pool: o.Pool,
		Others:  o.Others,
		OpenBao: component(&t, "openbao"), PostgreSQL: component(&t, "postgresql"),
		Generator: l.Generator.CPUShare * float64(s.HostCPUs),
	}
	p.Outcome, p.Reason = outcome(r.Topologies[0].Checks)
	if others := o.Strangers; p.Outcome == outcomeBroken && others != nil && *others > maxOthers*float64(s.HostCPUs) {
		p.Outcome, p.Reason = outcomeDisturbed, fmt.Sprintf("other processes used %.1f of the host's %d cores; %s", *others,
			s.HostCPUs, p.Reason)
	}
	return p
}

// maxOthers is the share of the host's CPUs that other processes may use before a rate that breaks
// is blamed on them.
const maxOthers = 0.25

// overload reports whether a server misses the condition that is asked for too much: in a search,
// a latency that grows is such a sign as well.
func overload(condition string) bool {
	return judge.Overload(condition) || condition == "valid/steady" || condition == "valid/trend"
}

// outcome sorts the checks. A saturated generator comes first: its own delay is in everything
// else.
func outcome(checks []result.Check) (Outcome, string) {
	found := map[Outcome]string{}
	for _, c := range checks {
		o := Held
		switch {
		case c.Informational || c.Verdict == result.Pass:
		case c.ID == "slo/wrong-values":
			o = outcomeWrong
		case c.ID == "valid/generator-cpu", c.ID == "valid/dropped-iterations" && c.Owner == result.OwnerMachine:
			o = outcomeGenerator
		case c.Kind == "validity" && c.Verdict == result.Fail: // a crash, an out-of-memory kill, a database at a standstill
			o = outcomeBroken
		case c.Kind == "validity" && (!overload(c.ID) || c.Owner == result.OwnerMachine):
			o = outcomeDisturbed
		case c.Kind == "slo" && c.Verdict == result.Inconclusive:
			o = outcomeDisturbed // an objective that could not be judged, or not be blamed on the server
		default:
			o = outcomeBroken
		}
		if _, ok := found[o]; !ok {
			found[o] = c.Title + ": " + c.Reason
		}
	}
	for _, o := range []Outcome{outcomeWrong, outcomeGenerator, outcomeBroken, outcomeDisturbed} {
		if reason, ok := found[o]; ok {
			return o, reason
		}
	}
	return Held, ""
}

// component sums the use of a component while measuring.
func component(t *result.Topology, name string) Component {
	c, seen := Component{Unknown: true}, false
	w := t.Load.Measured()
	for i := range t.Resources {
		s := &t.Resources[i]
		if s.Component != name {
			continue
		}
		cores, ok := s.CPUCores(w)
		c.Unknown = !ok || seen && c.Unknown
		seen = true
		c.Cores += cores
		peak, _ := s.PeakMemory(w)
		c.MemoryMiB = max(c.MemoryMiB, peak)
		if cores >= c.Busiest {
			c.Busiest, c.Limit = cores, s.CPULimit
			c.Throttled, _ = s.MeanThrottled(w) // of a kubelet's summary, which does not have it, the use alone has to say it
		}
	}
	return c
}
