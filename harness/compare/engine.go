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
	"gitlab.com/steamer/steamer/harness/target"
)

// Side is one of the two systems of a comparison, which drives one at a time.
type Side struct {
	Description string // for people, e.g. "charts/openbao 0.2.0 with fast.yaml"
	// Open brings the system up, without tenants. After an error nothing is left of it.
	Open func(ctx context.Context) (target.Target, error)
}

// Engine drives a comparison.
type Engine struct {
	A, B       Side
	Scenarios  []scenario.Scenario // to run on both after the load; none where empty
	Validity   judge.Validity
	Quarantine *Quarantine
	// Log takes lines of progress; nil drops them.
	Log func(string)
	// Save is called with the comparison after each block, so that a crash loses little; nil does
	// nothing.
	Save func(*Comparison) error

	targets [2]target.Target // of A and B, once they are open
}

// New returns a comparison that has not begun.
func New(id string, d Design) *Comparison {
	return &Comparison{
		APIVersion: result.APIVersion, Kind: Kind, ID: id, Started: time.Now().UTC(), Design: d, Partial: true,
		Pairs: []Pair{}, Verdict: result.Inconclusive, Reasons: []string{}, Metrics: []Metric{}, Outcomes: []Outcome{},
		Interims: []Interim{},
	}
}

// Prepare brings both sides up and provisions them, at the same time, since that is mostly
// waiting. A side that is unfit is noted in c, and no error: Judge knows what it means. Close the
// engine also after an error.
func (e *Engine) Prepare(ctx context.Context, c *Comparison) error {
	group, both := errgroup.WithContext(ctx)
	for i, subject := range []*Subject{&c.A, &c.B} {
		group.Go(func() error {
			err := e.open(both, i, c.Design.Tenants)
			*subject = e.subject(i)
			var unfit target.UnfitError
			if errors.As(err, &unfit) && both.Err() == nil {
				subject.Unfit = strings.Join(strings.Fields(unfit.Error()), " ")
				return nil
			}
			if err != nil {
				return fmt.Errorf("arm %s: %w", arms[i], err)
			}
			return nil
		})
	}
	return group.Wait()
}

// arms are the names of the sides, by number.
var arms = [2]string{A, B}

func (e *Engine) open(ctx context.Context, i, tenants int) (err error) {
	if e.targets[i], err = [2]Side{e.A, e.B}[i].Open(ctx); err != nil {
		e.targets[i] = nil // and not an interface that holds a nil pointer
		return err
	}
	_, _, err = e.targets[i].Grow(ctx, tenants)
	return err
}

// subject describes a side as it is now.
func (e *Engine) subject(i int) Subject {
	s := Subject{Description: [2]Side{e.A, e.B}[i].Description}
	if e.targets[i] == nil {
		return s
	}
	info := e.targets[i].Info()
	s.Config, s.Versions, s.Images, s.CPUs = info.Config, info.Versions, info.Images, info.CPUs
	s.Delay = float64(info.Delay) / float64(time.Millisecond)
	if info.Chart != (result.Chart{}) {
		s.Chart = &info.Chart
	}
	return s
}

// Subjects describe both sides as they are now.
func (e *Engine) Subjects() (a, b Subject) { return e.subject(0), e.subject(1) }

// Head is B's target, nil before Prepare.
func (e *Engine) Head() target.Target { return e.targets[1] }

// Close closes both targets. It may be called twice, and works after ctx was cancelled.
func (e *Engine) Close(ctx context.Context) error {
	var errs []error
	for i, t := range e.targets {
		if t != nil {
			errs = append(errs, t.Close(ctx))
			e.targets[i] = nil
		}
	}
	return errors.Join(errs...)
}

// Drive drives blocks of two pairs, ABBA or BAAB by chance, until an interim analysis decides,
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

// next drives a block, or by turns all blocks until the next interim analysis.
func (e *Engine) next(ctx context.Context, c *Comparison, rng *rand.Rand) error {
	if !c.Design.Turns {
		return e.apart(ctx, c, block(rng))
	}
	n := min(c.Design.InterimEvery-len(c.Pairs)%c.Design.InterimEvery, c.Design.MaxPairs-len(c.Pairs))
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
		step = min(c.Design.InterimEvery, c.Design.MaxPairs-len(c.Pairs))
	}
	return elapsed+elapsed/time.Duration(len(c.Pairs))*time.Duration(step) > duration(c.Design.Budget)
}

// pair drives a slice of either arm.
func (e *Engine) pair(ctx context.Context, c *Comparison, order string) (Pair, error) {
	p := Pair{Order: order}
	number := len(c.Pairs) + 1
	err := target.Round(ctx, len(arms), order == "BA", duration(c.Design.Idle), func(i int) error {
		name := fmt.Sprintf("%03d-%s", number, arms[i])
		seen, err := e.targets[i].Drive(ctx, target.Job{Name: name, Profile: c.Design.profile(), Rate: c.Design.Rate})
		if err != nil {
			return fmt.Errorf("slice %s: %w", name, err)
		}
		*[]*Slice{&p.A, &p.B}[i] = slice(&seen.Topology, e.Validity)
		return nil
	})
	return p, err
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

// progress is a line on how far it has come and what the pairs say so far.
func (c *Comparison) progress(elapsed time.Duration) string {
	line := fmt.Sprintf("%d of at most %d pairs, %s", len(c.Pairs), c.Design.MaxPairs, elapsed.Round(time.Second))
	discarded, _ := Discarded(c.Pairs)
	if discarded > 0 {
		line += fmt.Sprintf(", %d discarded (%s)", discarded, discards(c.Pairs))
	}
	// What the pairs say so far, without any claim: interim analyses make those.
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
	if n := len(c.Interims); n > 0 && c.Interims[n-1].Pairs == len(c.Pairs) {
		line += fmt.Sprintf("; interim analysis: %s", c.Interims[n-1].Verdict)
	}
	return line
}
