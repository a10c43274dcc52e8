package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
)

// What k6 fetches beside the clients, as jobs do: enough that each recipe's tenants are among them.
const (
	fetchTenants = 4
	fetchSecrets = 3
	fetchFirst   = 100_000 // offset of their numbers: a cluster has tenants of its own
)

// errUnloaded ends the load when the clients have ended.
var errUnloaded = errors.New("the clients have ended")

// fetches is load of the ordinary kind, for as long as clients work. Nobody writes what it fetches.
type fetches struct {
	runner load.Runner
	job    load.Job
}

// provisionFetches makes the tenants of the load at a URL. It returns nil where none is asked for.
func (o *Options) provisionFetches(ctx context.Context, p *pool, client *openbao.Client, url string) (*fetches, error) {
	if o.Fetches == 0 {
		return nil, nil
	}
	recipes, err := gitlab.RecipesFor(openbao.KindOpenBao)
	if err != nil {
		return nil, err
	}
	tenancy := target.Tenancy{
		Client: client, Issuer: p.keys.rails, Audience: p.keys.audience, Seed: fmt.Sprint(o.Schedule.Seed),
		Recipes: recipes, Secrets: fetchSecrets, First: fetchFirst,
	}
	if _, err := tenancy.Grow(ctx, fetchTenants); err != nil {
		return nil, err
	}
	profile := load.Profile{
		Name: "beside", Workload: "fetch", Mode: load.Inline, Duration: document.Duration(load.MaxDuration),
	}
	var more []gitlab.FixtureOption
	if p.ca != nil {
		more = append(more, gitlab.WithCA(string(p.ca)))
	}
	fixture, err := tenancy.Fixture(url, profile, load.MaxDuration, more...)
	return &fetches{
		runner: load.Runner{Binary: o.Generator.K6, Scripts: o.Generator.Scripts, Dir: o.Dir},
		job:    load.Job{Name: profile.Name, Profile: profile, Rate: o.Fetches, Target: url, Fixture: fixture},
	}, err
}

// start begins the load. stop ends it, and writes into the history what became of it.
func (f *fetches) start(ctx context.Context, record *history.Recorder) (stop func() error) {
	if f == nil {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancelCause(ctx)
	record.Event(history.Event{Kind: history.Load, Name: history.LoadBegins, Pod: history.NoPod})
	ended := make(chan error, 1)
	go func() {
		driven, err := f.runner.Run(ctx, f.job)
		if driven != nil {
			tell(record, f.job.Rate, driven)
		}
		ended <- err
	}()
	return func() error {
		cancel(errUnloaded)
		if err := <-ended; !errors.Is(err, errUnloaded) {
			return err
		}
		return nil
	}
}

// tell writes into the history what a load got.
func tell(record *history.Recorder, rate float64, l *result.Load) {
	if l.Wrong > 0 {
		record.Event(history.Event{
			Kind: history.Load, Name: history.LoadWrong, Pod: history.NoPod,
			Text: fmt.Sprintf("%d of %d fetches got another value than their secret's", l.Wrong, l.Fetches),
		})
	}
	record.Event(history.Event{
		Kind: history.Load, Name: history.LoadEnds, Pod: history.NoPod, Text: fmt.Sprintf(
			"%d fetches by k6 in %v (%g a second asked for): %d failed, %d wrong, %d not begun", l.Fetches,
			time.Duration(l.MeasuredSeconds*float64(time.Second)).Round(time.Second), rate, l.Failed, l.Wrong, l.Dropped),
	})
}
