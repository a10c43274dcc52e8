package result

import "math"

// alignment is by how many seconds the log of a load and its schedule may differ: the log has
// whole seconds of the clock, of which the schedule begins somewhere in the first.
const alignment = 1

// Drained counts fetches that completed after the end of the schedule, and for how many seconds
// some did: what a server answers then it did not carry in the time it had. Up to alignment
// seconds of it are not seen.
func (l *Load) Drained() (fetches int64, seconds float64) {
	end := l.WarmupSeconds + l.Spent() + alignment
	later := 0.0 // of several processes each has a schedule from when it began
	for _, p := range l.Parts {
		later = math.Max(later, p.LateSeconds)
	}
	end += later
	for _, iv := range l.Series {
		if iv.Phase == "measure" && iv.Offset >= end {
			fetches += iv.Fetches
			seconds = math.Max(seconds, iv.Offset-end+1)
		}
	}
	return fetches, seconds
}

// Achieved is how many fetches per second completed in the measured time, by the time of their
// completion: those that were answered while the load generator waited for the last ones do not
// count. 0 where nothing was measured.
func (l *Load) Achieved() float64 {
	return math.Min(l.AchievedRate, l.inTime())
}

// Settle sets AchievedRate by what was recorded. Call it again when Parts has come, which moves
// the end.
func (l *Load) Settle() { l.AchievedRate = l.inTime() }

func (l *Load) inTime() float64 {
	if l.MeasuredSeconds <= 0 {
		return 0
	}
	late, _ := l.Drained()
	return float64(l.Fetches-late) / l.MeasuredSeconds
}
