package findings

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/result"
)

// Slice is one reading of one arm.
type Slice struct {
	Round      int     `json:"round"`
	Throughput float64 `json:"throughput"`   // fetches per second
	OpenBao    float64 `json:"openbaoMs"`    // CPU per fetch, warm-up included
	PostgreSQL float64 `json:"postgresqlMs"` // CPU per fetch, warm-up included
	P50        float64 `json:"p50"`          // milliseconds, as all latencies of a closed loop
	P95        float64 `json:"p95"`
	P99        float64 `json:"p99"`
	Opened     float64 `json:"openedPer1000"` // connections to PostgreSQL opened per 1,000 fetches, warm-up included
	PoolFull   float64 `json:"poolFull"`      // share of looks at which every connection was busy
	Throttled  float64 `json:"throttled"`     // share of OpenBao's CFS periods
	Others     float64 `json:"others"`        // cores of the host's other processes
	Failed     int64   `json:"failed"`
	Wrong      int64   `json:"wrong"`
	// StormShare is the least throughput of three seconds in the storm's window over that before
	// the logins; Quiet is the latter.
	StormShare float64 `json:"stormShare,omitempty"`
	Quiet      float64 `json:"quiet,omitempty"`
	Logins     int     `json:"logins,omitempty"` // made for the storm
	// Rotations of the storage's key that ended under the load.
	Rotations int `json:"rotations,omitempty"`
}

// ArmOutcome is all readings of one arm.
type ArmOutcome struct {
	Arm
	Limited string  `json:"limited,omitempty"` // how the CPU limit was enforced
	Slices  []Slice `json:"slices"`
}

// Outcome is one experiment that ran.
type Outcome struct {
	Experiment Experiment   `json:"experiment"`
	OpenBao    string       `json:"openbao"` // version
	Seconds    float64      `json:"seconds"`
	Arms       []ArmOutcome `json:"arms"`
	Partial    string       `json:"partial,omitempty"` // why it did not reach its end
	Found      []Found      `json:"found"`
	Wrong      bool         `json:"wrong,omitempty"` // a fetch got a wrong value
}

// ErrWrong is a fetch that got a wrong value: no experiment goes on after that.
var ErrWrong = errors.New("a fetch got a wrong value")

// Run runs an experiment. The outcome is whole as far as it came, also beside an error.
func Run(ctx context.Context, tools lab.Tools, e Experiment, progress func(string)) (*Outcome, error) {
	began := time.Now()
	o := &Outcome{Experiment: e, Found: []Found{}}
	for _, a := range e.Arms {
		o.Arms = append(o.Arms, ArmOutcome{Arm: a, Slices: []Slice{}})
	}
	run := o.compare
	if e.Storm != nil {
		run = o.storms
	}
	err := run(ctx, tools, progress)
	if err != nil {
		o.Partial, o.Wrong = err.Error(), errors.Is(err, ErrWrong)
	}
	o.Seconds = time.Since(began).Seconds()
	o.judge()
	return o, err
}

// compare drives all arms in turns, on labs that live for the whole experiment.
func (o *Outcome) compare(ctx context.Context, tools lab.Tools, progress func(string)) error {
	labs := make([]*lab.Lab, len(o.Arms))
	defer func() {
		for _, l := range labs {
			if l != nil {
				l.Close()
			}
		}
	}()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i := range o.Arms {
		group.Go(func() (err error) {
			labs[i], err = o.open(groupCtx, tools, i)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for round := range o.Experiment.Rounds {
		for _, i := range order(len(labs), round) {
			s, err := o.slice(ctx, labs[i], i, round)
			if err != nil {
				return fmt.Errorf("arm %s, round %d: %w", o.Arms[i].Name, round+1, err)
			}
			o.Arms[i].Slices = append(o.Arms[i].Slices, s)
			progress(fmt.Sprintf("round %d of %d, %s: %.0f fetches/s, OpenBao %.2f and PostgreSQL %.2f ms of CPU per fetch",
				round+1, o.Experiment.Rounds, o.Arms[i].Name, s.Throughput, s.OpenBao, s.PostgreSQL))
		}
	}
	return nil
}

// order is 0 to n-1, backwards in every second round, so that a machine that gets slower or faster
// favours no arm.
func order(n, round int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
		if round%2 == 1 {
			out[i] = n - 1 - i
		}
	}
	return out
}

func (o *Outcome) open(ctx context.Context, tools lab.Tools, arm int) (*lab.Lab, error) {
	spec, err := o.Arms[arm].spec(o.Experiment)
	if err != nil {
		return nil, err
	}
	l, err := lab.Open(ctx, tools, spec)
	if err != nil {
		return nil, err
	}
	o.Arms[arm].Limited = l.Limited
	if arm == 0 {
		o.OpenBao = l.Version
	}
	return l, nil
}

// slice is one reading.
func (o *Outcome) slice(ctx context.Context, l *lab.Lab, arm, round int) (Slice, error) {
	fixture, err := l.Fixture(l.Tenants)
	if err != nil {
		return Slice{}, err
	}
	name := fmt.Sprintf("%s-%d-%d", o.Experiment.ID, arm, round)
	rotating, stop := context.WithCancel(ctx)
	defer stop()
	var rotated int
	var group errgroup.Group
	if every := time.Duration(o.Experiment.RotateEvery); every > 0 {
		group.Go(func() (err error) {
			rotated, err = rotate(rotating, l, every)
			return err
		})
	}
	r, err := l.Drive(ctx, name, o.Arms[arm].profile(o.Experiment.Load), 1, fixture, nil)
	stop()
	if err := errors.Join(err, group.Wait()); err != nil {
		return Slice{}, err
	}
	s, err := reading(r, round)
	s.Rotations = rotated
	return s, err
}

// reading takes from a run what an experiment compares.
func reading(r lab.Reading, round int) (Slice, error) {
	d := r.Load
	s := Slice{
		Round: round, Throughput: d.AchievedRate, P50: d.Actual.P50, P95: d.Actual.P95, P99: d.Actual.P99,
		PoolFull: r.Pool.FullShare, Failed: d.Failed, Wrong: d.Wrong,
	}
	if r.Others != nil {
		s.Others = *r.Others
	}
	switch {
	case d.Wrong > 0:
		return s, ErrWrong
	case r.Others == nil:
		return s, errors.New("nobody knows what else the machine did: its CPU time was not read")
	case d.Fetches == 0:
		return s, errors.New("no fetch was completed")
	case d.Failed > 0:
		return s, fmt.Errorf("%d of %d fetches failed (%v)", d.Failed, d.Fetches, d.Statuses)
	}
	all := int64(0)
	for _, iv := range d.Series {
		all += iv.Fetches
	}
	// Over the whole run: a server that stands idle before and after uses next to nothing, and no
	// edge is cut off.
	whole := result.Window{From: d.Start.Add(-time.Hour), To: d.Start.Add(24 * time.Hour)}
	for i := range r.Resources {
		used, _ := r.Resources[i].CPUSeconds(whole)
		if r.Resources[i].Component == "openbao" {
			s.OpenBao += 1000 * used / float64(all)
		} else {
			s.PostgreSQL += 1000 * used / float64(all)
		}
	}
	if s.OpenBao == 0 || s.PostgreSQL == 0 {
		return s, errors.New("the processes' CPU time was not sampled")
	}
	s.Opened = 1000 * float64(r.Pool.Opened) / float64(all)
	for i := range r.Resources {
		if res := &r.Resources[i]; res.Component == "openbao" {
			throttled, ok := res.MeanThrottled(d.Measured())
			if !ok {
				return s, errors.New("the processes' throttling was not sampled")
			}
			s.Throttled = max(s.Throttled, throttled)
		}
	}
	return s, nil
}
