package capacity

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gitlab.com/steamer/steamer/harness/target"
)

// search is one search on its way.
type search struct {
	Options
	target target.Target
	report *Report
	lo, hi float64 // highest rate that held, 0 for none; lowest that did not, 0 for none
	runs   int
}

// tries is how often a rate is tried before it counts as broken: a shared machine stumbles.
const tries = 2

// hopeless is the share of the offered rate below which a second try is a waste of time.
const hopeless = 0.9

// lowest is the rate at which a search downwards gives up.
const lowest = 1

// maxCandidates bounds how many candidates are confirmed, each lower than the one before.
const maxCandidates = 4

func (s *search) run(ctx context.Context) error {
	err := s.bracket(ctx)
	if err == nil && s.lo > 0 && s.hi > 0 {
		err = s.bisect(ctx)
	}
	s.report.Held, s.report.Broken = s.lo, s.hi
	if errors.Is(err, errGenerator) || err == nil && s.lo > 0 && s.hi == 0 {
		return err // nothing above it was found that breaks: what held is a lower bound, not a capacity
	}
	if err == nil && s.lo > 0 {
		err = s.confirm(ctx)
		s.report.Held, s.report.Broken = s.lo, s.hi
		if err != nil { // the last candidate may never have run, or not to its end
			s.report.Held = s.highestHeld()
		}
	}
	return err
}

// highestHeld is the highest rate below what broke at which a run held; 0 for none.
func (s *search) highestHeld() float64 {
	best := 0.0
	for _, p := range s.report.Points {
		if p.Outcome == Held && !p.Partial && (s.hi == 0 || p.Rate < s.hi) {
			best = max(best, p.Rate)
		}
	}
	return best
}

// bracket doubles the rate until it breaks. When the first rate breaks already, it halves it until
// it holds.
func (s *search) bracket(ctx context.Context) error {
	for rate := s.Start; ; rate *= 2 {
		held, err := s.try(ctx, min(rate, s.Max))
		if err != nil {
			return err
		}
		if !held {
			break
		}
		if rate >= s.Max {
			return nil
		}
	}
	for rate := s.Start / 2; s.lo == 0 && rate >= lowest; rate /= 2 {
		if _, err := s.try(ctx, rate); err != nil {
			return err
		}
	}
	return nil
}

// bisect halves the bracket, on the logarithm of the rate.
func (s *search) bisect(ctx context.Context) error {
	for s.hi > s.lo*(1+s.Resolution) {
		rate := math.Sqrt(s.lo * s.hi)
		if whole := math.Round(rate); whole > s.lo && whole < s.hi {
			rate = whole
		}
		if _, err := s.try(ctx, rate); err != nil {
			return err
		}
	}
	return nil
}

// try runs a rate, and again if it breaks.
func (s *search) try(ctx context.Context, rate float64) (bool, error) {
	for range tries {
		p, err := s.once(ctx, "search", rate)
		if err != nil {
			return false, err
		}
		if p.Outcome == Held {
			s.lo = max(s.lo, rate)
			return true, nil
		}
		if p.Achieved < hopeless*rate {
			break
		}
	}
	if s.hi == 0 || rate < s.hi {
		s.hi = rate
	}
	return false, nil
}

// confirm runs the candidate several times. A candidate that breaks once is not the capacity: the
// next lies a resolution lower.
func (s *search) confirm(ctx context.Context) error {
	for range maxCandidates {
		s.report.Confirmations = nil
		held := true
		for range s.Confirmations {
			p, err := s.once(ctx, "confirm", s.lo)
			if err != nil {
				return err
			}
			s.report.Confirmations = append(s.report.Confirmations, p)
			if held = p.Outcome == Held; !held {
				break
			}
		}
		if held {
			s.report.Confirmed = true
			return nil
		}
		s.hi, s.lo = s.lo, math.Floor(s.lo/(1+s.Resolution))
		if s.lo < lowest {
			s.lo = 0
			return nil
		}
	}
	return invalidError{fmt.Sprintf("%d candidates in a row broke in a confirmation: the machine is too restless for a figure", maxCandidates)}
}

// once makes one run, a second time if it was disturbed.
func (s *search) once(ctx context.Context, phase string, rate float64) (Point, error) {
	length := s.Trial
	if phase == "confirm" {
		length = s.Confirm
	}
	for attempt := 1; ; attempt++ {
		s.runs++
		name := fmt.Sprintf("capacity-%03d", s.runs)
		o, err := s.target.Drive(ctx, target.Job{
			Name: name, Profile: s.profile("capacity", rate, length), Rate: rate, Progress: s.Interval,
		})
		if o.Topology.Load != nil {
			p := s.judge(o, phase, rate)
			p.Partial = err != nil
			s.report.Points = append(s.report.Points, p)
			if s.Progress != nil {
				s.Progress(p)
			}
			if err == nil && p.Outcome != outcomeDisturbed {
				return p, p.fatal()
			}
			if err == nil && attempt == tries {
				return p, invalidError{fmt.Sprintf("%s was disturbed twice: %s", PerSecond(rate), p.Reason)}
			}
		}
		if err != nil {
			return Point{}, err
		}
	}
}
