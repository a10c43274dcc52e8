package lint

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

// progress says how far a check is that takes long.
type progress struct {
	log   func(string) // nil: nobody listens
	begun time.Time    // and then when something was said last
	mu    sync.Mutex
}

// quiet is how long a check may say nothing.
const quiet = 2 * time.Second

// begin begins a number of equal parts of the check and returns what to call at the end of each,
// concurrently or not.
func (p *progress) begin(what string, parts int) (step func()) {
	done := 0
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		done++
		if p.log == nil || time.Since(p.begun) < quiet {
			return
		}
		p.begun = time.Now()
		p.log(fmt.Sprintf("checking the chart: %d of %d %s", done, parts, what))
	}
}

// cpuTime is what the process has used of the CPUs.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// The shares of the budget after which no more switches, keys and upgrades are tried.
const switchShare, keyShare, upgradeShare = 0.3, 0.7, 0.9

// over says whether the check has used more than a share of its budget, and remembers that.
func (s *subject) over(share float64) bool {
	if s.budget == 0 || cpuTime()-s.began < time.Duration(share*float64(s.budget)) {
		return false
	}
	s.cut.Store(true)
	return true
}
