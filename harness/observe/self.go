package observe

import (
	"time"

	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/result"
)

// selfUse adds up what observing costs: this process, the engine's clients that it keeps, and the
// scripts in the containers.
type selfUse struct {
	began   time.Time
	own     float64 // CPU seconds of this process at began
	clients float64 // of the engine's clients that have ended
	scripts map[string]float64
}

func newSelfUse() selfUse {
	return selfUse{began: time.Now(), own: proc.Own(), scripts: map[string]float64{}}
}

func (s *selfUse) total() result.ObserverUse {
	use := result.ObserverUse{Seconds: time.Since(s.began).Seconds(), CPUSeconds: proc.Own() - s.own + s.clients}
	for _, seconds := range s.scripts {
		use.CPUSeconds += seconds
	}
	return use
}

// scriptPrefix marks the line in which a script says what it cost itself: the content of its
// /proc/PID/stat.
const scriptPrefix = "script "
