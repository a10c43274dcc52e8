package observe

import (
	"context"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/hostcpu"
	"gitlab.com/steamer/steamer/harness/result"
)

// Host adds the CPU use of the whole machine that Steamer runs on, which the cluster has to run on too. It is a Source.
type Host struct{}

func (Host) attach(ctx context.Context, o *Observer) {
	o.host = &series{out: result.ResourceSeries{Component: "host", Name: "all processes"}}
	o.group.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			busy, err := hostcpu.Busy()
			if err != nil {
				o.note(fmt.Errorf("CPU use of this machine: %w", err))
				return
			}
			o.mu.Lock()
			o.host.host(time.Now(), busy)
			o.mu.Unlock()
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// host turns the machine's CPU seconds into a sample; the first only sets the base.
func (s *series) host(at time.Time, busy float64) {
	if spent := at.Sub(s.at).Seconds(); !s.at.IsZero() && spent > 0 {
		s.out.Samples = append(s.out.Samples, result.ResourceSample{At: at, CPUCores: (busy - s.cpu) / spent})
	}
	s.at, s.cpu = at, busy
}
