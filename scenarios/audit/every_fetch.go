package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// fetches is how many fetches everyFetch makes, and workers how many at once.
const (
	fetches = 60
	workers = 6
)

func everyFetch() scenario.Scenario {
	return scenario.Scenario{
		ID:       "audit/every-fetch",
		Subject:  scenario.SubjectChart,
		Title:    "Each of many parallel fetches is recorded exactly once",
		Protects: investigators,
		Source:   "openbao/openbao, vault/audit_broker.go: one record of each request and of each response",
		Features: []scenario.Feature{scenario.FeatureAudit, scenario.FeatureInlineAuth},
		Kind:     scenario.Functional,
		Budget:   2 * time.Minute,
		// Catches: log lines that are damaged or lost when several requests write at once.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			trail, err := follow(ctx, env)
			require.NoError(t, err)
			made, err := fetchMany(ctx, env)
			require.NoError(t, err)
			env.Await(ctx, t, "the audit log has every fetch", env.Timeouts.Labels, func(ctx context.Context) error {
				found, err := trail.read(ctx, made...)
				if err != nil {
					return err
				}
				seen := map[string]int{}
				for _, r := range found {
					if r.Type == typeResponse {
						seen[r.Auth.Metadata["correlation_id"]+r.Request.Operation]++
					}
				}
				for _, id := range made {
					if seen[id+"update"] != 1 || seen[id+"read"] != 1 {
						return fmt.Errorf("a fetch has %d responses to its login and %d to its read, want one each", seen[id+"update"],
							seen[id+"read"])
					}
				}
				return nil
			})
			t.Measure("fetches", float64(len(made)))
		},
	}
}

// fetchMany makes fetches, several at once, and returns their correlation IDs.
func fetchMany(ctx context.Context, env *scenario.Env) ([]string, error) {
	ids := make([]string, fetches)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for k := range ids {
		group.Go(func() (err error) {
			ids[k], err = fetchOne(ctx, env, k)
			return err
		})
	}
	return ids, group.Wait()
}

func fetchOne(ctx context.Context, env *scenario.Env, k int) (id string, err error) {
	tenant := env.Tenants[k%len(env.Tenants)]
	claims := env.Issuer.PipelineClaims(env.Audience, tenant, gitlab.DefaultJob())
	id, _ = claims["correlation_id"].(string)
	jwt, err := env.Issuer.Sign(claims, nil)
	if err != nil {
		return id, err
	}
	a, err := env.Send(ctx, gitlab.FetchOf(tenant, tenant.Secrets[k%len(tenant.Secrets)].Name, jwt))
	if err == nil && !a.OK() {
		err = fmt.Errorf("fetch: %v", a)
	}
	return id, err
}
