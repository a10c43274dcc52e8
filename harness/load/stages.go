package load

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/result"
)

// Stage is a span in which the rate moves in a straight line from where the stage before left it,
// at first the profile's rate, to its own: the meaning that stages have in k6's
// ramping-arrival-rate. A stage of 0 s is a jump.
type Stage struct {
	Duration document.Duration `json:"duration"` // 0s for a jump; whole milliseconds
	// rate at its end as a multiple of the profile's, above 0 to 1,000
	Times     float64 `json:"times,omitempty"`
	PerSecond float64 `json:"perSecond,omitempty"` // or in fetches per second, above 0 to 100,000
	// Excursion is load on purpose beyond what is judged: only wrong values count in it. At least
	// one stage has to be none.
	Excursion bool `json:"excursion,omitempty"`
}

// Limits of stages. k6 counts in thousandths of an arrival per second.
const (
	maxStages = 100
	maxTimes  = 1000
	minRate   = 0.001
)

func length(stages []Stage) time.Duration {
	var sum time.Duration
	for _, s := range stages {
		sum += time.Duration(s.Duration)
	}
	return sum
}

func (p Profile) validateStages() error {
	if len(p.Stages) == 0 {
		return nil
	}
	if len(p.Stages) > maxStages {
		return fmt.Errorf("stages: %d of them: want at most %d", len(p.Stages), maxStages)
	}
	judged := time.Duration(0)
	for i, s := range p.Stages {
		d := time.Duration(s.Duration)
		switch {
		case d < 0 || d > MaxDuration || d%time.Millisecond != 0:
			return fmt.Errorf("stages[%d]: duration %v: want 0s to %v in whole milliseconds", i, d, MaxDuration)
		case (s.Times != 0) == (s.PerSecond != 0):
			return fmt.Errorf("stages[%d]: want either times or perSecond", i)
		case s.PerSecond == 0 && (!(s.Times > 0) || s.Times > maxTimes):
			return fmt.Errorf("stages[%d]: times %v: want above 0 to %d", i, s.Times, maxTimes)
		case s.Times == 0 && (!(s.PerSecond >= minRate) || s.PerSecond > maxRate):
			return fmt.Errorf("stages[%d]: perSecond %v: want %g to %d", i, s.PerSecond, minRate, maxRate)
		}
		if !s.Excursion {
			judged += d
		}
	}
	if sum := length(p.Stages); time.Duration(p.Duration) != sum {
		return fmt.Errorf("duration %v: leave it out, or make it the sum of the stages, %v", time.Duration(p.Duration), sum)
	}
	if judged < time.Second {
		return fmt.Errorf("stages: only %v of them are judged; a run needs at least 1s outside excursions", judged)
	}
	if p.Stages[len(p.Stages)-1].Duration == 0 {
		return fmt.Errorf("stages[%d]: a jump with nothing after it", len(p.Stages)-1)
	}
	return nil
}

// rates are those at the ends of the stages where the profile's rate is the given one, in whole
// thousandths as k6 counts them.
func (p Profile) rates(rate float64) []float64 {
	var all []float64
	for _, s := range p.Stages {
		all = append(all, math.Round((s.PerSecond+s.Times*rate)*1000)/1000)
	}
	return all
}

// Course is how the rate moves over the stages, jumps left out, with the times that they take up.
func (p Profile) Course(rate float64) []result.LoadStage {
	var out []result.LoadStage
	at, from := time.Duration(p.Warmup).Seconds(), rate
	for i, to := range p.rates(rate) {
		s := p.Stages[i]
		if d := time.Duration(s.Duration).Seconds(); d > 0 {
			out = append(out, result.LoadStage{At: at, Seconds: d, From: from, To: to, Excursion: s.Excursion})
			at += d
		}
		from = to
	}
	return out
}

// script renders the stages as perf/scripts/fetch.js reads them.
func (p Profile) script(rate float64) string {
	var out []string
	for i, to := range p.rates(rate) {
		stage := milliseconds(time.Duration(p.Stages[i].Duration)) + ":" + decimal(to)
		if p.Stages[i].Excursion {
			stage += ":" + excursion
		}
		out = append(out, stage)
	}
	return strings.Join(out, ",")
}

// mean is the mean rate over the stages that are excursions, or that are not, and their length in
// seconds.
func mean(stages []result.LoadStage, excursions bool) (rate, seconds float64) {
	for _, s := range stages {
		if s.Excursion == excursions {
			rate += s.Seconds * (s.From + s.To) / 2
			seconds += s.Seconds
		}
	}
	return rate / max(seconds, 1e-9), seconds
}

// Outline says in words what a load does at a rate in fetches per second, for progress.
func (p Profile) Outline(rate float64) string {
	text := fmt.Sprintf("mode %s, %g fetches/s for %s after a warm-up of %s", p.Mode, rate, time.Duration(p.Duration),
		time.Duration(p.Warmup))
	if all := p.rates(rate); len(all) > 0 {
		text += fmt.Sprintf(", in %d stages from %g/s to %g/s", len(p.Course(rate)), slices.Min(all), slices.Max(all))
	}
	if p.Retries {
		text += ", failed calls repeated as GitLab Runner does"
	}
	return text
}
