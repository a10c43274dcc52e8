package findings

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
)

// loginsAtOnce is how many logins of a storm are in flight.
const loginsAtOnce = 16

// StormSeconds is the length of the span whose mean throughput counts as the storm's.
const StormSeconds = 3

// storms drives all arms in turns, each time on a fresh target: what one storm leaves behind must
// not reach the next.
func (o *Outcome) storms(ctx context.Context, open Open, progress func(string)) error {
	for round := range o.Experiment.Rounds {
		err := o.round(ctx, round, progress, func(i int) (Slice, error) { return o.storm(ctx, open, i, round) })
		if err != nil {
			return err
		}
	}
	return nil
}

// storm is one run: fetches all the time, logins after a while, and then the expiry of their
// tokens.
func (o *Outcome) storm(ctx context.Context, open Open, arm, round int) (s Slice, err error) {
	t, err := o.open(ctx, open, arm)
	if err != nil {
		return Slice{}, err
	}
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	plan := o.Experiment.Storm
	started := make(chan struct{})
	var begun atomic.Bool
	job := o.job(arm, round)
	job.Progress = func(iv result.Interval) {
		if iv.Phase == "measure" && begun.CompareAndSwap(false, true) {
			close(started)
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	over := make(chan struct{})
	var seen target.Observation
	group.Go(func() (err error) {
		defer close(over)
		seen, err = t.Drive(groupCtx, job)
		return err
	})
	var first time.Time
	group.Go(func() (err error) {
		select {
		case <-started:
		case <-over:
			return errors.New("the load ended before the logins")
		case <-groupCtx.Done():
			return groupCtx.Err()
		}
		timer := time.NewTimer(time.Duration(plan.After))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-groupCtx.Done():
			return groupCtx.Err()
		}
		first = time.Now()
		return logins(groupCtx, t, plan.Logins)
	})
	if err := group.Wait(); err != nil {
		return Slice{}, err
	}
	if s, err = reading(seen, round); err != nil {
		return s, err
	}
	s.Logins = plan.Logins
	return s, measureStorm(&s, seen.Topology.Load, first, time.Duration(plan.TTL), time.Duration(plan.Window))
}

// logins logs in as jobs do on the classic path of HashiCorp Vault: a service token for each,
// which is never used or revoked.
func logins(ctx context.Context, on target.Target, n int) error {
	env, done, err := on.Env()
	if err != nil {
		return err
	}
	defer done()
	tokens := make([]string, len(env.Tenants))
	for i, t := range env.Tenants {
		if tokens[i], err = env.Issuer.Pipeline(env.Audience, t, gitlab.DefaultJob()); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range loginsAtOnce {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				t := env.Tenants[i%len(env.Tenants)]
				r, err := env.Client.Do(ctx, openbao.Request{
					Method: http.MethodPost, Path: t.AuthPath, Body: map[string]string{"role": t.Role, "jwt": tokens[i%len(tokens)]},
				})
				if err == nil && !r.OK() {
					err = fmt.Errorf("login at %s: status %d: %s", t.AuthPath, r.Status, r.Message())
				}
				if err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// measureStorm finds the throughput before the logins began, and the lowest StormSeconds in the
// window after the first token expired.
func measureStorm(s *Slice, l *result.Load, first time.Time, ttl, window time.Duration) error {
	from := first.Sub(l.Start).Seconds()
	quiet, n := 0.0, 0
	var during []float64
	for _, iv := range l.Series {
		switch {
		case iv.Phase != "measure":
		case iv.Offset+1 <= from:
			quiet, n = quiet+float64(iv.Fetches), n+1
		case iv.Offset >= from+ttl.Seconds() && iv.Offset+1 <= from+(ttl+window).Seconds():
			during = append(during, float64(iv.Fetches))
		}
	}
	if n == 0 || quiet == 0 || len(during) < StormSeconds {
		return fmt.Errorf("%d seconds before the logins and %d after the expiry measure nothing", n, len(during))
	}
	least := math.Inf(1)
	for i := 0; i+StormSeconds <= len(during); i++ {
		sum := 0.0
		for _, x := range during[i : i+StormSeconds] {
			sum += x
		}
		least = min(least, sum/StormSeconds)
	}
	s.Quiet = quiet / float64(n)
	s.StormShare = max(least, 1.0/StormSeconds) / s.Quiet // none at all counts as one, for a ratio can have no zero
	return nil
}
