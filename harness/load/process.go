package load

import (
	"time"

	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/result"
)

// processSampler reads one process's use of the machine.
type processSampler struct {
	pid  int
	at   time.Time
	cpu  float64 // seconds, cumulative
	base bool
	out  []result.GeneratorSample
}

// watchProcess samples a process once a second until done is closed. What cannot be read any more,
// because the process has ended, is left out.
func watchProcess(pid int, done <-chan struct{}) []result.GeneratorSample {
	s := processSampler{pid: pid}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		s.sample(time.Now())
		select {
		case <-done:
			return s.out
		case <-ticker.C:
		}
	}
}

// sample adds one reading; the first only sets the base.
func (s *processSampler) sample(now time.Time) {
	use, err := proc.Read(s.pid)
	if err != nil {
		return
	}
	elapsed := now.Sub(s.at).Seconds()
	if s.base && elapsed > 0 {
		s.out = append(s.out, result.GeneratorSample{
			At: now.UTC(), CPUCores: max(0, use.CPU-s.cpu) / elapsed, RSSMiB: use.ResidentMiB,
			Sockets: proc.Sockets(s.pid), Threads: use.Threads,
		})
	}
	s.at, s.cpu, s.base = now, use.CPU, true
}
