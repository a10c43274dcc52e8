package lint

import (
	"fmt"
	"sync"
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
