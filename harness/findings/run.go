package findings

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local"
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
	PoolFull   float64 `json:"poolFull"`      // share of samples in which every connection was busy
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

// text is a slice in a line of progress.
func (s Slice) text() string {
	if s.Logins > 0 {
		return fmt.Sprintf("%d logins; %.0f fetches/s before, %.0f %% of that while their tokens expire", s.Logins, s.Quiet,
			100*s.StormShare)
	}
	return fmt.Sprintf("%.0f fetches/s, OpenBao %.2f and PostgreSQL %.2f ms of CPU per fetch", s.Throughput, s.OpenBao,
		s.PostgreSQL)
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

// Open opens a target that runs as processes, without tenants. After an error nothing is left of
// it.
type Open func(ctx context.Context, spec local.Spec) (target.Target, error)

// Run runs an experiment. The outcome is whole as far as it came, also beside an error.
func Run(ctx context.Context, open Open, e Experiment, progress func(string)) (*Outcome, error) {
	began := time.Now()
	o := &Outcome{Experiment: e, Found: []Found{}}
	for _, a := range e.Arms {
		o.Arms = append(o.Arms, ArmOutcome{Arm: a, Slices: []Slice{}})
	}
	run := o.compare
	if e.Storm != nil {
		run = o.storms
	}
	err := run(ctx, open, progress)
	if err != nil {
		o.Partial, o.Wrong = err.Error(), errors.Is(err, ErrWrong)
	}
	o.Seconds = time.Since(began).Seconds()
	o.judge()
	return o, err
}

// compare drives all arms in turns, on targets that live for the whole experiment.
func (o *Outcome) compare(ctx context.Context, open Open, progress func(string)) (err error) {
	targets := make([]target.Target, len(o.Arms))
	defer func() {
		for _, t := range targets {
			if t != nil {
				err = errors.Join(err, t.Close(ctx))
			}
		}
	}()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i := range o.Arms {
		group.Go(func() (err error) {
			targets[i], err = o.open(groupCtx, open, i)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for round := range o.Experiment.Rounds {
		err := o.round(ctx, round, progress, func(i int) (Slice, error) { return o.slice(ctx, targets[i], i, round) })
		if err != nil {
			return err
		}
	}
	return nil
}

// round takes a reading of each arm, in the other order in every second round.
func (o *Outcome) round(ctx context.Context, round int, progress func(string),
	read func(arm int) (Slice, error),
) error {
	return target.Round(ctx, len(o.Arms), round%2 == 1, 0, func(i int) error {
		s, err := read(i)
		if err != nil {
			return fmt.Errorf("arm %s, round %d: %w", o.Arms[i].Name, round+1, err)
		}
		o.Arms[i].Slices = append(o.Arms[i].Slices, s)
		progress(fmt.Sprintf("round %d of %d, %s: %s", round+1, o.Experiment.Rounds, o.Arms[i].Name, s.text()))
		return nil
	})
}

// open opens an arm's target and provisions it.
func (o *Outcome) open(ctx context.Context, open Open, arm int) (target.Target, error) {
	spec, err := o.Arms[arm].spec(o.Experiment)
	if err != nil {
		return nil, err
	}
	t, err := open(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("arm %s: %w", o.Arms[arm].Name, err)
	}
	if _, _, err := t.Grow(ctx, o.Experiment.Load.Tenants); err != nil {
		return nil, errors.Join(fmt.Errorf("arm %s: %w", o.Arms[arm].Name, err), t.Close(ctx))
	}
	info := t.Info()
	o.Arms[arm].Limited = info.Limited
	if arm == 0 {
		o.OpenBao = info.Versions["openbao"]
	}
	return t, nil
}

// slice is one reading.
func (o *Outcome) slice(ctx context.Context, t target.Target, arm, round int) (Slice, error) {
	rotating, stop := context.WithCancel(ctx)
	defer stop()
	var rotated int
	var group errgroup.Group
	if every := time.Duration(o.Experiment.RotateEvery); every > 0 {
		group.Go(func() (err error) {
			rotated, err = rotate(rotating, t, every)
			return err
		})
	}
	seen, err := t.Drive(ctx, o.job(arm, round))
	stop()
	if err := errors.Join(err, group.Wait()); err != nil {
		return Slice{}, err
	}
	s, err := reading(seen, round)
	s.Rotations = rotated
	return s, err
}

// job is the load of one reading: a closed loop, which has no rate.
func (o *Outcome) job(arm, round int) target.Job {
	return target.Job{
		Name: fmt.Sprintf("%s-%d-%d", o.Experiment.ID, arm, round), Profile: o.Arms[arm].profile(o.Experiment.Load), Rate: 1,
	}
}

// reading takes from an observation what an experiment compares.
func reading(seen target.Observation, round int) (Slice, error) {
	d, resources := seen.Topology.Load, seen.Topology.Resources
	s := Slice{
		Round: round, Throughput: d.AchievedRate, P50: d.Actual.P50, P95: d.Actual.P95, P99: d.Actual.P99,
		Failed: d.Failed, Wrong: d.Wrong,
	}
	if seen.Others != nil {
		s.Others = *seen.Others
	}
	switch {
	case d.Wrong > 0:
		return s, ErrWrong
	case seen.Others == nil:
		return s, errors.New("what else used the machine is not known: its CPU time was not read")
	case seen.Pool == nil:
		return s, errors.New("the connections to PostgreSQL were not watched")
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
	for i := range resources {
		used, _ := resources[i].CPUSeconds(whole)
		if resources[i].Component == "openbao" {
			s.OpenBao += 1000 * used / float64(all)
		} else {
			s.PostgreSQL += 1000 * used / float64(all)
		}
	}
	if s.OpenBao == 0 || s.PostgreSQL == 0 {
		return s, errors.New("the processes' CPU time was not sampled")
	}
	s.PoolFull, s.Opened = seen.Pool.FullShare, 1000*float64(seen.Pool.Opened)/float64(all)
	for i := range resources {
		if res := &resources[i]; res.Component == "openbao" {
			throttled, ok := res.MeanThrottled(d.Measured())
			if !ok {
				return s, errors.New("the processes' throttling was not sampled")
			}
			s.Throttled = max(s.Throttled, throttled)
		}
	}
	return s, nil
}
