package access

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func ownSecret() scenario.Scenario {
	return scenario.Scenario{
		ID:       "access/own-secret",
		Subject:  scenario.SubjectServer,
		Title:    "Every project's job reads the right value of its own secret",
		Protects: "CI jobs that need their secrets: a wrong or missing value breaks or misleads every deployment",
		Source:   "GitLab Runner's gitlab_secrets_manager resolver",
		Kind:     scenario.Functional,
		Core:     true,
		Budget:   2 * time.Minute,
		Parallel: true,
		// Catches: a role that refuses its own project, a wrong policy, a mix-up of
		// namespaces, lost or stale data.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			recipes, slowest := map[string]int{}, time.Duration(0)
			for i, tenant := range env.Tenants {
				secret := tenant.Secrets[i%len(tenant.Secrets)]
				a, err := env.Read(ctx, tenant, secret)
				if err != nil {
					t.Errorf("%v", err)
				}
				if ctx.Err() != nil {
					return
				}
				recipes[tenant.Recipe]++
				slowest = max(slowest, a.Latency)
			}
			t.Logf("tenants per recipe: %v", recipes)
			t.Measure("fetches", float64(len(env.Tenants)))
			t.Measure("slowest_ms", float64(slowest.Microseconds())/1000)
		},
	}
}
