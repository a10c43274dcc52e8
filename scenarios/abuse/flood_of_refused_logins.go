package abuse

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// The number of refused logins, how many run in parallel, and the fetches beside them.
const (
	floodLogins   = 200
	floodParallel = 4
	floodFetches  = 50
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
			group, groupCtx := errgroup.WithContext(ctx)
			group.SetLimit(floodParallel + 1)
			var slowest time.Duration
			group.Go(func() error {
				for range floodFetches {
					a, err := env.Read(groupCtx, quiet, quiet.Secrets[0])
					if err != nil {
						return fmt.Errorf("during the flood: %w", err)
					}
					slowest = max(slowest, a.Latency)
				}
				return nil
			})
			for range floodLogins {
				group.Go(func() error {
					a, err := env.Send(groupCtx, gitlab.FetchOf(noisy, noisy.Secrets[0].Name, jwt))
					if err == nil && (!a.InlineAuthFailed || a.Status >= 500) {
						err = fmt.Errorf("%v, want the login refused with a 4xx", a)
					}
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Errorf("%v", err)
			}
			before.unharmed(ctx, t)
			t.Measure("slowest_fetch_ms", float64(slowest.Microseconds())/1000)
		},
	}
}
