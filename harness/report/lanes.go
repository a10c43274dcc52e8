package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// lane is what went on in one place, on the time axis of the run.
type lane struct {
	Name, Topology string
	Took           string // with how much of it something went on
	Bars           []laneBar
}

// laneBar is a stretch of a lane, in % of its width.
type laneBar struct {
	Name        string
	Class       string
	Left, Width float64
}

// onAxis is where something is on the time axis of a run, in % of its width.
func onAxis(r *result.Result, began time.Time, seconds float64) (left, width float64) {
	total := max(1, r.Run.Finished.Sub(r.Run.Started).Seconds())
	left = bound(100 * began.Sub(r.Run.Started).Seconds() / total)
	return left, min(max(0.4, bound(100*seconds/total)), 100-left)
}

// lanes are the installations of topologies that had several, each with its scenarios, and those
// scenarios that ran alone or on each.
func lanes(r *result.Result) []lane {
	var out []lane
	for i := range r.Topologies {
		t := &r.Topologies[i]
		if t.Shards < 2 {
			continue
		}
		places := map[int]*lane{}
		busy := map[int]float64{}
		for _, s := range t.Scenarios {
			if s.Started.IsZero() || s.ID == install {
				continue
			}
			place := s.Shard
			if places[place] == nil {
				places[place] = &lane{Name: fmt.Sprintf("shard %d", place), Topology: t.Name}
				if place == 0 {
					places[place].Name = "on each shard"
				}
			}
			bar := laneBar{Name: s.ID, Class: map[result.Status]string{
				result.Passed: "done", result.Failed: "bad", result.Skipped: "neutral",
			}[s.Status]}
			if s.Alone != "" {
				bar.Name += ", alone"
			}
			bar.Left, bar.Width = onAxis(r, s.Started, s.Seconds)
			places[place].Bars = append(places[place].Bars, bar)
			busy[place] += s.Seconds
		}
		for place, l := range places {
			l.Took = fmt.Sprintf("%d scenarios, %s", len(l.Bars), render.Span(busy[place]))
			slices.SortFunc(l.Bars, func(a, b laneBar) int { return cmp.Compare(a.Left, b.Left) })
			out = append(out, *l)
		}
	}
	slices.SortFunc(out, func(a, b lane) int {
		return cmp.Or(cmp.Compare(a.Topology, b.Topology),
			cmp.Compare(a.Name, b.Name))
	})
	return out
}

// install is the scenario that is a step as well.
const install = "lifecycle/install"

// whereRan says where and when a scenario ran, of one of several installations; "" of the only
// one.
func whereRan(s *result.Scenario) string {
	if s.Shard == 0 && s.Alone == "" || s.Started.IsZero() {
		return ""
	}
	text := fmt.Sprintf("%s to %s", s.Started.UTC().Format(time.TimeOnly), s.Ended().UTC().Format(time.TimeOnly))
	if s.Shard > 0 {
		text = fmt.Sprintf("shard %d, %s", s.Shard, text)
	}
	if s.Alone != "" {
		text += ", alone: " + s.Alone
	}
	return text
}
