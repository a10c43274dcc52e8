package observe

import (
	"context"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/result"
)

// Host adds the use of the whole machine that Steamer runs on, which the cluster has to run on
// too: CPU, and the memory that is left. It is a Source.
type Host struct{}

func (Host) attach(ctx context.Context, o *Observer) {
	o.host = &series{out: result.ResourceSeries{Component: "host", Name: "all processes"}}
	group, groupErr := cgroup.Own()
	o.group.Go(func() {
		o.note(everySecond(ctx, func() error {
			use, err := proc.Host()
			if err != nil {
				return fmt.Errorf("CPU use of this machine: %w", err)
			}
			available := 0.0
			if groupErr == nil {
				available, _ = group.AvailableMiB()
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			o.host.host(time.Now(), use, available)
			return nil
		}))
	})
}

// everySecond calls read until ctx ends or it fails.
func everySecond(ctx context.Context, read func() error) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		if err := read(); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// host turns the machine's CPU seconds into a sample; the first only sets the base. available is
// in MiB, 0 where it is not known.
func (s *series) host(at time.Time, use proc.HostUse, available float64) {
	if spent := at.Sub(s.at).Seconds(); !s.at.IsZero() && spent > 0 {
		s.out.Samples = append(s.out.Samples, result.ResourceSample{
			At: at, CPUCores: (use.Busy - s.cpu) / spent, Interrupts: (use.Interrupts - s.interrupts) / spent,
			AvailableMiB: available,
		})
	}
	s.at, s.cpu, s.interrupts = at, use.Busy, use.Interrupts
}
