package report

import (
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// syntheticStaged is a run of mode mixed with repetitions whose rate went beyond what is judged
// and back: from the 100th to the 119th second of the measurement to four times its rate, where it
// broke.
func syntheticStaged() *result.Result {
	r := syntheticWithout(180, 30, 115, 135)
	r.Run.Profile = "spike"
	for i := range r.Topologies {
		l := r.Topologies[i].Load
		at := func(stage result.LoadStage, from, to int) result.LoadStage {
			stage.At, stage.Seconds = float64(from), float64(to-from)
			for s := from; s < to; s++ {
				iv := &l.Series[s]
				if stage.Excursion {
					iv.Phase, iv.Fetches, iv.P50, iv.P95, iv.P99 = "excursion", 4*iv.Fetches, 20*iv.P50, 20*iv.P95, 20*iv.P99
					if s > from+5 {
						iv.Failed, iv.Dropped = 3, 7
					}
				}
				stage.Fetches, stage.Failed, stage.Dropped = stage.Fetches+iv.Fetches, stage.Failed+iv.Failed, stage.Dropped+
					iv.Dropped
				stage.P50, stage.P95 = iv.P50, iv.P95
			}
			return stage
		}
		l.Profile, l.Mode = "spike", "mixed"
		l.Stages = []result.LoadStage{
			at(result.LoadStage{From: 30, To: 30}, 15, 115),
			at(result.LoadStage{From: 30, To: 120, Excursion: true}, 115, 135),
			at(result.LoadStage{From: 30, To: 30}, 135, 195),
		}
		x := l.Stages[1]
		l.MeasuredSeconds, l.Fetches = 160, 160*30
		l.Statuses = map[string]int64{"200": l.Fetches}
		l.Excursion = &result.Excursion{
			Seconds: x.Seconds, Offered: 75, Fetches: x.Fetches, Failed: x.Failed,
			Dropped: x.Dropped, Actual: l.Actual, Intended: l.Intended,
		}
		l.Attempts = &result.Attempts{Count: l.Fetches + 12, Failed: 12, Repeats: true, Retried: 12, Rescued: 12}
		l.Steps = map[string]result.Distribution{"connect": l.Actual, "write_value": l.Actual, "login": l.Actual}
		l.Kinds = map[string]result.Distribution{"inline": l.Actual, "create": l.Actual}
		r.Topologies[i].Events = append(r.Topologies[i].Events, result.Event{
			At:   l.Start.Add(200 * time.Second),
			Kind: "phase", Detail: "load ends", Planned: true,
		})
	}
	judgeSynthetic(r)
	return r
}
