package abuse

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// The flood and the fetches beside it last as long as each other: until there were enough of both,
// and at least so long. So many logins run in parallel.
const (
	floodLasts    = 5 * time.Second
	floodFetches  = 50
	floodLogins   = 200
	floodParallel = 4
)

func floodOfRefusedLogins() scenario.Scenario {
	return scenario.Scenario{
		ID:       "abuse/flood-of-refused-logins",
		Subject:  scenario.SubjectServer,
		Title:    "A flood of refused logins of one project fails no fetch of another",
		Protects: "the jobs of all projects from one project's flood of logins",
		Source:   "OpenBao's user lockout does not cover JWT logins, so only the server's speed limits a flood",
		Kind:     scenario.Abuse,
		Budget:   2 * time.Minute,
		Parallel: true,
		// Catches: failing logins that hold a lock or drain a pool.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			require.Greater(t, len(env.Tenants), 1, "this scenario needs at least two tenants")
			noisy, quiet := env.Tenants[0], env.Tenants[len(env.Tenants)-1]
			before := observe(ctx, t, env, noisy)
			jwt, err := env.Issuer.Pipeline(env.Audience, quiet,
				gitlab.DefaultJob()) // good, but not at the noisy project's door
			require.NoError(t, err)
			refused, slowest, err := flood(ctx, env, noisy, quiet, jwt)
			if err != nil {
				t.Errorf("%v", err)
			}
			before.unharmed(ctx, t)
			t.Measure("slowest_fetch_ms", float64(slowest.Microseconds())/1000)
			t.Measure("refused_logins", float64(refused))
		},
	}
}

// flood fetches a quiet project's secret one time after the other while logins at a noisy project
// are refused. It returns how many were, and how long the slowest fetch took.
func flood(ctx context.Context, env *scenario.Env, noisy, quiet gitlab.Tenant, jwt string) (refused int64,
	slowest time.Duration, err error,
) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	var over atomic.Bool
	var logins atomic.Int64
	for range floodParallel {
		group.Go(func() error {
			for !over.Load() {
				a, err := env.Send(ctx, gitlab.FetchOf(noisy, noisy.Secrets[0].Name, jwt))
				if err == nil && (!a.InlineAuthFailed || a.Status >= 500) {
					err = fmt.Errorf("%v, want the login refused with a 4xx", a)
				}
				if err != nil {
					return err
				}
				logins.Add(1)
			}
			return nil
		})
	}
	began := time.Now()
	for n := 0; err == nil && (n < floodFetches || logins.Load() < floodLogins || time.Since(began) < floodLasts); n++ {
		var a gitlab.Answer
		if a, err = env.Read(ctx, quiet, quiet.Secrets[0]); err != nil {
			err = fmt.Errorf("during the flood: %w", err)
		}
		slowest = max(slowest, a.Latency)
	}
	over.Store(true)
	return logins.Load(), slowest, errors.Join(group.Wait(), err)
}
