package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
)

// Drive runs k6 while the processes are watched. The load goes to the active node, as through the
// active Service: a standby only passes requests on.
func (t *Target) Drive(ctx context.Context, job target.Job) (target.Observation, error) {
	fixture, err := t.ready(job.Profile, time.Duration(job.Profile.Warmup+job.Profile.Duration))
	if err != nil {
		return target.Observation{}, err
	}
	w := t.watch(ctx, sampleEvery)
	began, own := time.Now(), proc.Own()
	before, errBefore := proc.Host()
	runner := t.runner()
	runner.Progress = job.Progress
	driven, err := runner.Run(ctx, load.Job{
		Name: job.Name, Profile: job.Profile, Rate: job.Rate, Target: t.url(), Fixture: fixture,
		Thresholds: job.Thresholds,
	})
	if driven != nil {
		settle(ctx, time.Until(driven.Measured().To))
	}
	after, errAfter := proc.Host()
	took, steamer := time.Since(began).Seconds(), proc.Own()-own
	seen := w.stop()
	seen.Topology.Load = driven
	if unread := errors.Join(errBefore, errAfter); unread != nil {
		seen.Topology.NotMeasured = append(seen.Topology.NotMeasured, "CPU of other processes: "+unread.Error())
	} else if driven != nil {
		ours := steamer + driven.Generator.CPUSeconds
		for i := range seen.Topology.Resources {
			used, _ := seen.Topology.Resources[i].CPUSeconds(result.Window{From: began, To: time.Now()})
			ours += used
		}
		others := max(0, after.Busy-before.Busy-ours) / took
		seen.Others, seen.Strangers = &others, &others // on a machine without a cluster everything else is a stranger
	}
	if driven == nil && err == nil {
		err = errors.New("k6 measured nothing")
	}
	return seen, err
}

// DriveTurns drives the target as A and another, which is of this package as well, as B.
func (t *Target) DriveTurns(ctx context.Context, b target.Target, turns load.Turns) ([]target.Observation, error) {
	other, ok := b.(*Target)
	if !ok {
		return nil, fmt.Errorf("by turns: %T does not run as processes", b)
	}
	both := [2]*Target{t, other}
	length := time.Duration(len(turns.Order)) * (time.Duration(turns.Profile.Duration) + turns.Gap)
	for i, one := range both {
		var err error
		if turns.Fixtures[i], err = one.ready(turns.Profile, length); err != nil {
			return nil, err
		}
		turns.Targets[i] = one.url()
	}
	watchers := [2]*watcher{t.watch(ctx, turnSample), other.watch(ctx, turnSample)}
	loads, err := t.runner().Turns(ctx, turns)
	seen := [2]target.Observation{watchers[0].stop(), watchers[1].stop()}
	if err != nil {
		return nil, err
	}
	out := make([]target.Observation, len(loads))
	for i, l := range loads {
		out[i] = seen[turns.Order[i]-'A']
		out[i].Topology.Load = l
	}
	return out, nil
}

func (t *Target) runner() load.Runner {
	g := t.spec.Generator
	return load.Runner{Binary: g.K6, Scripts: g.Scripts, Dir: g.Dir}
}

// url is where the load goes: the proxy, where there is one.
func (t *Target) url() string {
	u, err := url.Parse(t.server.Address)
	if err != nil || t.answers == nil {
		return t.server.Address
	}
	u.Host = t.answers.Address()
	return u.String()
}

// ready makes the target ready for a load of some length, and returns the fixture.
func (t *Target) ready(profile load.Profile, length time.Duration) ([]byte, error) {
	if err := t.cutAudit(); err != nil {
		return nil, err
	}
	var more []gitlab.FixtureOption
	if t.server.CA != nil {
		more = append(more, gitlab.WithCA(string(t.server.CA)))
	}
	return t.tenancy.Fixture(t.url(), profile, length, more...)
}

// cutAudit empties the audit log, which grows by several hundred MB in a search and which nothing
// reads. OpenBao appends, so that it may be cut.
func (t *Target) cutAudit() error {
	// The patch may have moved it.
	if err := os.Truncate(t.server.AuditLog(), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// settle keeps the samples coming until the measured span has passed. k6's log begins with the
// first fetch that was answered, so that its span may end a moment after k6 does.
func settle(ctx context.Context, left time.Duration) {
	if left <= 0 || left > 5*time.Second {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
