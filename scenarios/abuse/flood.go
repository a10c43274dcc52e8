package abuse

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/sideeffects"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

// How much flood there is, and how much of others' work beside it.
const (
	floodLogins   = 200
	floodParallel = 4
	floodFetches  = 50
)

func flood() scenario.Scenario {
	return scenario.Scenario{
		ID:       "abuse/flood-of-refused-logins",
		Title:    "Refused logins of one project cost another project no fetch",
		Protects: "the jobs of all projects from one that keeps knocking",
		Source:   "OpenBao's user lockout knows no JWT logins, so nothing stops the flood but the server's own speed",
		Kind:     scenario.Abuse,
		Budget:   2 * time.Minute,
		Parallel: true,
		// Catches: a lock held, or a pool drained, by logins that fail.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			require.Greater(t, len(env.Tenants), 1, "there is only one tenant: nobody to flood")
			noisy, quiet := env.Tenants[0], env.Tenants[len(env.Tenants)-1]
			before := sideeffects.Observe(ctx, t, env, noisy)
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
						return fmt.Errorf("beside the flood: %w", err)
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
			before.Unharmed(ctx, t)
			t.Measure("slowest_fetch_ms", float64(slowest.Microseconds())/1000)
		},
	}
}

func lease() scenario.Scenario {
	return scenario.Scenario{
		ID:       "abuse/lease-inline",
		Title:    "An inline login cannot make a token that lasts, whoever logs in",
		Protects: "the storage from a token and a lease for every job",
		Source:   "OpenBao: requests with inline authentication cannot generate leases",
		Kind:     scenario.Abuse,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: leases by the side door. Rails may do everything, so that only this rule is in
		// the way.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			for _, tenant := range env.Sample(2) {
				r, err := env.Rails(ctx, http.MethodPost, tenant.Name+"/auth/token/create",
					map[string]any{"ttl": "1m", "type": "service"})
				require.NoError(t, err)
				if r.OK() {
					t.Errorf("%s: status %d, want the lease refused", tenant.Name, r.Status)
				}
				t.Logf("%s: status %d: %s", tenant.Name, r.Status, r.Message())
			}
		},
	}
}

func cubbyhole() scenario.Scenario {
	return scenario.Scenario{
		ID:       "abuse/cubbyhole-inline",
		Title:    "What a job puts into its token's own store cannot be read by the next job",
		Protects: "jobs from each other, where every login has a store of its own",
		Source:   "OpenBao 2.4.0: the write is accepted and its row stays, since an inline token is never revoked",
		Kind:     scenario.Abuse,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: a store that inline tokens share. That the row outlives its token is a fault of
		// OpenBao, which is measured and not judged; the namespace goes away afterwards and takes
		// the row with it.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			secrets := []gitlab.Secret{{Name: "SECRET_1", Environment: gitlab.Any, Branch: gitlab.Any, Version: 1}}
			accepted := 0.0
			tenancy.Each(ctx, t, env, secrets, func(tenant gitlab.Tenant) {
				path := tenant.Name + "/cubbyhole/steamer"
				w, err := tenancy.AsJob(ctx, env, tenant, openbao.Request{
					Method: http.MethodPost, Path: path,
					Body: map[string]any{"a": "b"},
				})
				require.NoError(t, err)
				if w.OK() {
					accepted++
				}
				r, err := tenancy.AsJob(ctx, env, tenant, openbao.Request{Method: http.MethodGet, Path: path})
				require.NoError(t, err)
				if r.Status != http.StatusNotFound && r.Status != http.StatusForbidden {
					t.Errorf("%s: the next job's look answers %d, want 404 or 403", tenant.Name, r.Status)
				}
			})
			t.Measure("rows_that_stay", accepted)
		},
	}
}
