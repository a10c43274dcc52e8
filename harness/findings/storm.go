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
	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
)

// loginsAtOnce is how many logins of a storm are in flight.
const loginsAtOnce = 16

// StormSeconds is the length of the span whose mean throughput counts as the storm's.
const StormSeconds = 3

// storms drives all arms in turns, each time on a fresh lab: what one storm leaves behind must not
// reach the next.
func (o *Outcome) storms(ctx context.Context, tools lab.Tools, progress func(string)) error {
	for round := range o.Experiment.Rounds {
		for _, i := range order(len(o.Arms), round) {
			s, err := o.storm(ctx, tools, i, round)
			if err != nil {
				return fmt.Errorf("arm %s, round %d: %w", o.Arms[i].Name, round+1, err)
			}
			o.Arms[i].Slices = append(o.Arms[i].Slices, s)
			progress(fmt.Sprintf("round %d of %d, %s: %d logins; %.0f fetches/s before, %.0f %% of that while their tokens expire",
				round+1, o.Experiment.Rounds, o.Arms[i].Name, s.Logins, s.Quiet, 100*s.StormShare))
		}
	}
	return nil
}

// storm is one run: fetches all the time, logins after a while, and then the expiry of their
// tokens.
func (o *Outcome) storm(ctx context.Context, tools lab.Tools, arm, round int) (Slice, error) {
	l, err := o.open(ctx, tools, arm)
	if err != nil {
		return Slice{}, err
	}
	defer l.Close()
	fixture, err := l.Fixture(l.Tenants)
	if err != nil {
		return Slice{}, err
	}
	plan := o.Experiment.Storm
	name := fmt.Sprintf("%s-%d-%d", o.Experiment.ID, arm, round)
	started := make(chan struct{})
	var begun atomic.Bool
	progress := func(iv result.Interval) {
		if iv.Phase == "measure" && begun.CompareAndSwap(false, true) {
			close(started)
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	over := make(chan struct{})
	var driven lab.Reading
	group.Go(func() (err error) {
		defer close(over)
		driven, err = l.Drive(groupCtx, name, o.Arms[arm].profile(o.Experiment.Load), 1, fixture, progress)
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
		return logins(groupCtx, l, plan.Logins)
	})
	if err := group.Wait(); err != nil {
		return Slice{}, err
	}
	s, err := reading(driven, round)
	if err != nil {
		return s, err
	}
	s.Logins = plan.Logins
	return s, measureStorm(&s, driven.Load, first, time.Duration(plan.TTL), time.Duration(plan.Window))
}

// logins logs in as jobs do on the classic path of HashiCorp Vault: a service token for each, that
// nobody uses or revokes.
func logins(ctx context.Context, l *lab.Lab, n int) error {
	client := openbao.New(l.Server.Address, l.Server.HTTPClient())
	defer client.Close()
	tokens := make([]string, len(l.Tenants))
	for i, t := range l.Tenants {
		var err error
		if tokens[i], err = l.Issuer.Pipeline(l.Server.Audience, t, gitlab.DefaultJob()); err != nil {
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
				t := l.Tenants[i%len(l.Tenants)]
				r, err := client.Do(ctx, openbao.Request{
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
