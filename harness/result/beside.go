package result

import (
	"fmt"
	"strings"
	"time"
)

// Beside says what of the run went on while the load of a topology was driven: other steps, and
// scenarios. Nothing should.
func (r *Result) Beside(t *Topology) []string {
	if t.Load == nil || t.Load.Start.IsZero() {
		return nil
	}
	from := t.Load.Start
	to := from.Add(time.Duration((t.Load.WarmupSeconds + t.Load.MeasuredSeconds) * float64(time.Second)))
	var beside []string
	for _, s := range r.Steps {
		own := s.Topology == t.Name && s.Name == "load"
		if !own && overlaps(s.Started, s.Seconds, from, to) {
			beside = append(beside, strings.Join(strings.Fields("step "+s.Topology+" "+s.Name), " "))
		}
	}
	for i := range r.Topologies {
		for _, s := range r.Topologies[i].Scenarios {
			if overlaps(s.Started, s.Seconds, from, to) {
				beside = append(beside, fmt.Sprintf("scenario %s on %s", s.ID, r.Topologies[i].Name))
			}
		}
	}
	return beside
}

// overlaps reports whether something that began then, and took some seconds, went on between two
// moments.
func overlaps(began time.Time, seconds float64, from, to time.Time) bool {
	return !began.IsZero() && began.Before(to) && began.Add(time.Duration(seconds*float64(time.Second))).After(from)
}
