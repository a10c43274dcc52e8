package audit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/records"
)

func devices() scenario.Scenario {
	return scenario.Scenario{
		ID:       "audit/devices",
		Title:    "At least one audit device is on, and none writes raw values, leaves records out or passes them on unhashed",
		Protects: readers,
		Source:   "OpenBao, audit devices: log_raw, hmac_accessor, filter, exclude",
		Features: []scenario.Feature{scenario.FeatureAudit},
		Kind:     scenario.Functional,
		Cost:     scenario.Slow,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: audit off, log_raw left over from a search for an error, a filter that hides
		// reads.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			devices, err := records.Devices(ctx, env)
			require.NoError(t, err)
			require.NotEmpty(t, devices, "nothing is recorded: no audit device is on")
			for _, d := range devices {
				t.Logf("%s is of type %s", d.Path, d.Type)
				for option, harmless := range map[string]string{
					"log_raw": "false", "hmac_accessor": "true", "filter": "",
					"exclude": "",
				} {
					if set, ok := d.Options[option]; ok && set != harmless {
						t.Errorf("device %s has %s = %s", d.Path, option, set)
					}
				}
			}
		},
	}
}

// fetches is how many fetches everyFetch makes, and workers how many at once.
const (
	fetches = 60
	workers = 6
)

func everyFetch() scenario.Scenario {
	return scenario.Scenario{
		ID:       "audit/every-fetch",
		Title:    "Of many fetches at once each one is recorded, none twice and none lost",
		Protects: investigators,
		Source:   "openbao/openbao, vault/audit_broker.go: one record of each request and of each answer",
		Features: []scenario.Feature{scenario.FeatureAudit},
		Kind:     scenario.Functional,
		Cost:     scenario.Slow,
		Budget:   2 * time.Minute,
		// Catches: lines of the log that are torn or lost when several requests write at once.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			trail, err := records.Follow(ctx, env)
			require.NoError(t, err)
			made, err := fetchMany(ctx, env)
			require.NoError(t, err)
			scenario.MustConverge(ctx, t, scenario.Convergence{
				What: "the audit log tells of every fetch", Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Labels,
			}, func(ctx context.Context) error {
				found, err := trail.Read(ctx, made...)
				if err != nil {
					return err
				}
				seen := map[string]int{}
				for _, r := range found {
					if r.Type == records.Response {
						seen[r.Auth.Metadata["correlation_id"]+r.Request.Operation]++
					}
				}
				for _, id := range made {
					if seen[id+"update"] != 1 || seen[id+"read"] != 1 {
						return fmt.Errorf("a fetch has %d answers of its login and %d of its read, want one each", seen[id+"update"],
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
func fetchMany(ctx context.Context, env *scenario.Env) (ids []string, err error) {
	var (
		mu    sync.Mutex
		group sync.WaitGroup
	)
	for worker := range workers {
		group.Go(func() {
			for k := worker; k < fetches; k += workers {
				id, one := fetchOne(ctx, env, k)
				mu.Lock()
				ids = append(ids, id)
				if err == nil {
					err = one
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return ids, err
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
