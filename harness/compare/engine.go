package compare

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Engine drives a comparison.
type Engine struct {
	A, B       Arm
	Turns      Turner              // drives both where the design says by turns
	Scenarios  []scenario.Scenario // to run on both after the load; none where empty
	Validity   judge.Validity
	Quarantine *Quarantine
	// Log takes lines of progress; nil drops them.
	Log func(string)
	// Save is called with the comparison after each block, so that a crash loses little; nil does
	// nothing.
	Save func(*Comparison) error
	// After is called with every pair that was driven; nil does nothing.
	After func(Pair)
}

// New returns a comparison that has not begun.
func New(id string, d Design) *Comparison {
	return &Comparison{
		APIVersion: result.APIVersion, Kind: Kind, ID: id, Started: time.Now().UTC(), Design: d, Partial: true,
		Pairs: []Pair{}, Verdict: result.Inconclusive, Reasons: []string{}, Metrics: []Metric{}, Outcomes: []Outcome{},
		Looks: []Look{},
	}
}

// UnfitError is a system that does not come up or cannot be provisioned: a
// finding about that system, not a fault of what surrounds it.
type UnfitError struct{ error }

// Unwrap returns what went wrong.
func (u UnfitError) Unwrap() error { return u.error }

// Prepare brings both arms up, at the same time, since that is mostly waiting. An
// arm that is unfit is noted in c, and no error: Judge knows what it means.
func (e *Engine) Prepare(ctx context.Context, c *Comparison) error {
	group, both := errgroup.WithContext(ctx)
	for _, arm := range []struct {
		name    string
		arm     Arm
		subject *Subject
	}{{A, e.A, &c.A}, {B, e.B, &c.B}} {
		group.Go(func() error {
			err := arm.arm.Prepare(both)
			*arm.subject = arm.arm.Subject()
			var unfit UnfitError
			if errors.As(err, &unfit) && both.Err() == nil {
				arm.subject.Unfit = strings.Join(strings.Fields(unfit.Error()), " ")
				return nil
			}
			if err != nil {
				return fmt.Errorf("arm %s: %w", arm.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Drive drives blocks of two pairs, ABBA or BAAB by chance, until a look decides,
// the planned pairs are there, or the budget is used up. Whatever ends it, c is
// judged; the error is what kept it from its end.
//
// In a block either arm comes first once and the middles are neighbours: a linear
// drift of the machine cancels out, and the random order breaks any rhythm.
func (e *Engine) Drive(ctx context.Context, c *Comparison) error {
	began := time.Now()
	rng := rand.New(rand.NewPCG(c.Design.Seed, 0))
	var err error
	if c.A.Unfit == "" && c.B.Unfit == "" {
		if err = e.blocks(ctx, c, rng, began); err == nil && len(e.Scenarios) > 0 {
			err = e.functional(ctx, c)
		}
	}
	c.Finished = time.Now().UTC()
	c.Partial = err != nil
	Judge(c, e.Quarantine)
	return errors.Join(err, e.save(c))
}

func (e *Engine) blocks(ctx context.Context, c *Comparison, rng *rand.Rand, began time.Time) error {
	for len(c.Pairs) < c.Design.MaxPairs {
		if e.over(c, time.Since(began)) {
			e.log("the budget is used up")
			return nil
		}
		if err := e.next(ctx, c, rng); err != nil {
			return err
		}
		Judge(c, e.Quarantine)
		e.log(c.progress(time.Since(began)))
		if err := e.save(c); err != nil {
			return err
		}
		if c.Decided() {
			return nil
		}
	}
	return nil
}

// next drives a block, or by turns all blocks until the next look.
func (e *Engine) next(ctx context.Context, c *Comparison, rng *rand.Rand) error {
	if !c.Design.Turns {
		return e.apart(ctx, c, block(rng))
	}
	n := min(c.Design.LookEvery-len(c.Pairs)%c.Design.LookEvery, c.Design.MaxPairs-len(c.Pairs))
	var orders []string
	for len(orders) < n {
		orders = append(orders, block(rng)...)
	}
	return e.turns(ctx, c, orders[:n])
}

// block is the order of two pairs.
func block(rng *rand.Rand) []string {
	if rng.IntN(2) == 1 {
		return []string{"BA", "AB"}
	}
	return []string{"AB", "BA"}
}

// apart drives pairs slice by slice.
func (e *Engine) apart(ctx context.Context, c *Comparison, orders []string) error {
	for _, order := range orders {
		p, err := e.pair(ctx, c, order)
		if err != nil {
			return err
		}
		c.Pairs = append(c.Pairs, p)
		if e.After != nil {
			e.After(p)
		}
	}
	return nil
}

// over says whether another block would overrun the budget, by the pace so far.
func (e *Engine) over(c *Comparison, elapsed time.Duration) bool {
	if c.Design.Budget == 0 || len(c.Pairs) == 0 {
		return false
	}
	step := 2
	if c.Design.Turns {
		step = min(c.Design.LookEvery, c.Design.MaxPairs-len(c.Pairs))
	}
	return elapsed+elapsed/time.Duration(len(c.Pairs))*time.Duration(step) > duration(c.Design.Budget)
}

// pair drives a slice of either arm.
func (e *Engine) pair(ctx context.Context, c *Comparison, order string) (Pair, error) {
	p := Pair{Order: order}
	for _, arm := range order {
		if err := idle(ctx, duration(c.Design.Idle)); err != nil {
			return p, err
		}
		name := fmt.Sprintf("%03d-%c", len(c.Pairs)+1, arm)
		s, err := e.slice(ctx, c, name, map[rune]Arm{'A': e.A, 'B': e.B}[arm])
		if err != nil {
			return p, fmt.Errorf("slice %s: %w", name, err)
		}
		if arm == 'A' {
			p.A = s
		} else {
			p.B = s
		}
	}
	return p, nil
}

func (e *Engine) slice(ctx context.Context, c *Comparison, name string, arm Arm) (Slice, error) {
	m, err := arm.Drive(ctx, name, c.Design.profile(), c.Design.Rate)
	if err != nil {
		return Slice{}, err
	}
	return m.slice(e.Validity), nil
}

// idle lets the machine settle between two slices.
func idle(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Engine) log(line string) {
	if e.Log != nil {
		e.Log(line)
	}
}

func (e *Engine) save(c *Comparison) error {
	if e.Save == nil {
		return nil
	}
	return e.Save(c)
}

// progress is a line on how far it has come and what it looks like.
func (c *Comparison) progress(elapsed time.Duration) string {
	line := fmt.Sprintf("%d of at most %d pairs, %s", len(c.Pairs), c.Design.MaxPairs, elapsed.Round(time.Second))
	discarded, _ := Discarded(c.Pairs)
	if discarded > 0 {
		line += fmt.Sprintf(", %d discarded (%s)", discarded, discards(c.Pairs))
	}
	// What the pairs say so far, without any claim: the looks make those.
	for _, g := range c.Design.GateMetrics {
		m := Metric{Name: g.Name}
		pairs := make([]Pair, 0, len(c.Pairs)-discarded)
		for _, p := range c.Pairs {
			if p.discarded() == "" {
				pairs = append(pairs, p)
			}
		}
		if m.evaluate(pairs, c.Design.Alpha); m.Pairs > 0 {
			line += fmt.Sprintf("; %s B/A %.3f", g.Name, m.Ratio)
		}
	}
	if n := len(c.Looks); n > 0 && c.Looks[n-1].Pairs == len(c.Pairs) {
		line += fmt.Sprintf("; look: %s", c.Looks[n-1].Verdict)
	}
	return line
}
