package observe

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

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
	return selfUse{began: time.Now(), own: processSeconds(), scripts: map[string]float64{}}
}

func (s *selfUse) total() result.ObserverUse {
	use := result.ObserverUse{Seconds: time.Since(s.began).Seconds(), CPUSeconds: processSeconds() - s.own + s.clients}
	for _, seconds := range s.scripts {
		use.CPUSeconds += seconds
	}
	return use
}

// processSeconds is the CPU time of this process so far.
func processSeconds() float64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0 // it fails for a wrong argument only, see getrusage(2)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// scriptPrefix marks the line in which a script says what it cost itself: the content of its
// /proc/PID/stat.
const scriptPrefix = "script "

// clockTicks is the unit of CPU times in /proc, USER_HZ, which is 100 on every architecture that
// kind runs on, see proc(5).
const clockTicks = 100

// statSeconds is the CPU time of a process and of its children that have ended, from
// /proc/PID/stat: fields 14 to 17 of proc(5), counted behind the name, which may hold anything.
func statSeconds(stat string) (float64, bool) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const first = 14 - 3 // field 3 is the first behind the name
	if len(fields) < first+4 {
		return 0, false
	}
	total := 0.0
	for _, field := range fields[first : first+4] {
		ticks, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, false
		}
		total += float64(ticks)
	}
	return total / clockTicks, true
}
