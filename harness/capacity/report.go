package capacity

import (
	"errors"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// Report is the outcome of a search, with everything that was measured.
type Report struct {
	result.Record
	Tier  string `json:"tier"`
	Mode  string `json:"mode"`
	Reuse bool   `json:"reuse"`

	Held      float64 `json:"held"`      // highest rate that held, fetches per second; 0 for none
	Broken    float64 `json:"broken"`    // lowest rate that did not; 0 for none
	Confirmed bool    `json:"confirmed"` // Held held in every confirmation
	// HoldsLower is the lower end of the 95 % confidence interval of the share of such runs that
	// hold at Held.
	HoldsLower    float64   `json:"holdsLower,omitempty"`
	Knee          float64   `json:"knee,omitempty"` // where the p95 begins to rise steeply
	Saturated     []Suspect `json:"saturated,omitempty"`
	SaturatedAt   float64   `json:"saturatedAt,omitempty"` // the rate that Saturated is about
	Confirmations []Point   `json:"confirmations"`
	Points        []Point   `json:"points"` // every run, in order
}

func newReport(o Options) *Report {
	r := &Report{
		Record: result.NewRecord("Capacity"), Tier: o.Tier, Mode: o.Mode, Reuse: o.Reuse,
		Points: []Point{}, Confirmations: []Point{},
	}
	r.HostCPUs = o.HostCPUs
	return r
}

// finish draws the conclusions.
func (r *Report) finish(o Options, interrupted bool, err error) {
	r.Finished = time.Now().UTC()
	r.Knee, _ = knee(r.Points)
	r.Saturated, r.SaturatedAt = blame(r.Points, o.HostCPUs)
	if r.Confirmed {
		n := float64(len(r.Confirmations))
		r.HoldsLower = stats.ClopperPearsonLower(n, n, 0.05)
	}
	var disturbed invalidError
	lowerBound := fmt.Sprintf("%s held in the search, so that the capacity is at least about that", PerSecond(r.Held))
	say := func(v result.Verdict, reasons ...string) { r.Verdict, r.Reasons = v, reasons }
	switch {
	case errors.Is(err, errWrong):
		say(result.Fail, err.Error())
	case interrupted:
		r.Partial = true
		say(result.Inconclusive, "the search was interrupted")
	case errors.Is(err, errGenerator):
		say(result.Inconclusive, err.Error()+": "+r.Points[len(r.Points)-1].Reason)
		if r.Held > 0 {
			r.Reasons = append(r.Reasons, lowerBound)
		}
	case errors.As(err, &disturbed):
		say(result.Inconclusive, err.Error())
	case err != nil:
		r.Partial = true
		say(result.Inconclusive, exit.FirstLine(err.Error()))
	case r.Held == 0:
		say(result.Fail, fmt.Sprintf("not even %s holds the objectives", PerSecond(r.Broken)))
	case r.Broken == 0:
		say(result.Inconclusive, fmt.Sprintf("the highest rate allowed, %s, still held: raise --max", PerSecond(r.Held)))
	case r.Held < o.AtLeast:
		say(result.Fail, fmt.Sprintf("capacity %s, below the %s asked for", PerSecond(r.Held), PerSecond(o.AtLeast)))
	default:
		say(result.Pass, fmt.Sprintf("capacity %s: %d of %d runs held, and %s did not", PerSecond(r.Held),
			len(r.Confirmations), len(r.Confirmations), PerSecond(r.Broken)))
	}
}

// blame is what was saturated, and at which rate: in the run that breaking names. Where nothing
// was in that one, as when a run just above the capacity broke by chance, it is the next rate up
// at which something was.
func blame(points []Point, hostCPUs int) ([]Suspect, float64) {
	first := breaking(points)
	if first < 0 {
		return nil, 0
	}
	suspects, rate := saturation(points[first], hostCPUs), points[first].Rate
	if points[first].Outcome == Held || suspects[0].Saturated {
		return suspects, rate
	}
	up := 0.0
	for _, p := range points {
		if p.Partial || p.Outcome == outcomeDisturbed || p.Outcome == Held || p.Rate < rate || up > 0 && p.Rate >= up {
			continue
		}
		if s := saturation(p, hostCPUs); s[0].Saturated {
			suspects, up = s, p.Rate
		}
	}
	return suspects, max(rate, up)
}

// breaking is the index of the run to blame something for: at the lowest rate that broke, else at
// the highest that ran; -1 without runs.
func breaking(points []Point) int {
	best := -1
	for i, p := range points {
		switch {
		case p.Partial || p.Outcome == outcomeDisturbed:
		case best < 0:
			best = i
		case (p.Outcome == Held) != (points[best].Outcome == Held):
			if p.Outcome != Held {
				best = i
			}
		case p.Outcome == Held && p.Rate > points[best].Rate || p.Outcome != Held && p.Rate < points[best].Rate:
			best = i
		}
	}
	return best
}
