package main

import "context"

// firstRate is where a search begins, in fetches per second.
const firstRate = 100

// minAchieved is the least share of the scheduled fetches that has to be done in time: Steamer's
// validity condition.
const minAchieved = 0.99

// resolution ends a search: the bracket's upper end over its lower one.
const resolution = 1.1

// trial is one run at a rate.
type trial struct {
	scheduled int
	done      int // started within the trial's length, and answered
	dropped   int // not started, because no worker was free, as far as the generator reports it
	failed    int // no value, or a wrong one
	cpuShare  float64
}

// honest reports whether the generator did what it says: everything scheduled was started and
// answered correctly.
func (t trial) honest() bool {
	return t.dropped == 0 && t.failed == 0 && float64(t.done) >= minAchieved*float64(t.scheduled)
}

// honest is the outcome of a search: the highest rate that was kept, and the lowest that was not,
// 0 if none was found.
type honest struct {
	rate, broken int
	cpuShare     float64 // of one core, at rate
}

// search doubles the rate until the schedule breaks, then halves the bracket.
func (b *bench) search(ctx context.Context, s *series, reuse bool) error {
	if s.open == nil {
		return nil
	}
	h, err := findHonest(b.maxRate, func(rate int) (trial, error) {
		return s.open(ctx, reuse, rate)
	})
	s.honest = append(s.honest, h)
	return err
}

// findHonest is the search itself. A rate that breaks once is tried again, because other programs
// use the machine too.
func findHonest(maxRate int, try func(rate int) (trial, error)) (honest, error) {
	var h honest
	attempt := func(rate int) error {
		for range 2 {
			t, err := try(rate)
			if err != nil {
				return err
			}
			if t.honest() {
				h.rate, h.cpuShare = rate, t.cpuShare
				return nil
			}
		}
		h.broken = rate
		return nil
	}
	for rate := firstRate; rate <= maxRate && h.broken == 0; rate *= 2 {
		if err := attempt(rate); err != nil {
			return h, err
		}
	}
	for h.rate > 0 && h.broken > 0 && float64(h.broken) > resolution*float64(h.rate) {
		if err := attempt((h.rate + h.broken) / 2); err != nil {
			return h, err
		}
	}
	return h, nil
}
