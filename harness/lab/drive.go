package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/hostcpu"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// tokenLife is how long the jobs' tokens are good: longer than any load in a lab.
const tokenLife = 6 * time.Hour

// Reading is what one run of k6 showed.
type Reading struct {
	Load        *result.Load
	Resources   []result.ResourceSeries
	Pool        PoolUse
	Others      *float64 // mean cores that the host's other processes used meanwhile: a crowded machine measures itself; nil: unknown
	NotMeasured []string
}

// Topology is the reading in the form in which results are judged.
func (r Reading) Topology(l *Lab) result.Topology {
	return result.Topology{
		Name: "processes", Versions: map[string]string{"openbao": l.Version}, Images: map[string]string{},
		Scenarios: []result.Scenario{}, Checks: []result.Check{}, Reasons: []string{}, Load: r.Load, Resources: r.Resources,
		NotMeasured: r.NotMeasured,
	}
}

// Fixture makes what k6 is told of the given tenants. It holds tokens.
func (l *Lab) Fixture(tenants []gitlab.Tenant) ([]byte, error) {
	var options []gitlab.FixtureOption
	if l.Server.CA != nil {
		options = append(options, gitlab.WithCA(string(l.Server.CA)))
	}
	f, err := gitlab.NewFixture(l.Server.Address, l.seed, l.Server.Audience, l.Issuer, tenants, tokenLife, options...)
	if err != nil {
		return nil, err
	}
	return json.Marshal(f)
}

// Drive runs k6 with a fixture while the processes are watched. As with load.Runner, a reading
// comes with an error where there is one.
func (l *Lab) Drive(ctx context.Context, name string, profile load.Profile, rate float64, fixture []byte,
	progress func(result.Interval),
) (Reading, error) {
	if err := l.tools.check(); err != nil {
		return Reading{}, exit.Environmentf("load generator", "make k6", "%w", err)
	}
	w := l.watch(ctx)
	began := time.Now()
	busy, busyErr := hostcpu.Read()
	own := ownCPU()
	runner := load.Runner{Binary: l.tools.K6, Scripts: l.tools.Scripts, Dir: l.tools.Dir, Progress: progress}
	driven, err := runner.Run(ctx, load.Job{
		Name: name, Profile: profile, Rate: rate, Target: l.Server.Address,
		Fixture: fixture,
	})
	reading := Reading{Load: driven}
	if driven != nil {
		settle(ctx, time.Until(driven.Measured().To))
	}
	after, afterErr := hostcpu.Read()
	took, steamer := time.Since(began).Seconds(), ownCPU()-own
	var gaps []error
	reading.Resources, reading.Pool, gaps = w.stop()
	if err := errors.Join(busyErr, afterErr); err != nil {
		gaps = append(gaps, fmt.Errorf("CPU of other processes: %w", err))
	} else if driven != nil {
		ours := steamer + driven.Generator.CPUSeconds
		for i := range reading.Resources {
			used, _ := reading.Resources[i].CPUSeconds(result.Window{From: began, To: time.Now()})
			ours += used
		}
		others := max(0, after.Busy-busy.Busy-ours) / took
		reading.Others = &others
	}
	for _, gap := range gaps {
		reading.NotMeasured = append(reading.NotMeasured, gap.Error())
	}
	if driven == nil && err == nil {
		err = errors.New("k6 measured nothing")
	}
	return reading, err
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
