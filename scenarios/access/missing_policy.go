package access

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func missingPolicy() scenario.Scenario {
	return scenario.Scenario{
		ID:       "access/missing-policy",
		Subject:  scenario.SubjectServer,
		Features: []scenario.Feature{scenario.FeatureClaimPolicies},
		Title:    "Without a policy a job gets 403, whether or not the secret exists",
		Protects: "secrets restricted to an environment or a branch, and secret names from being guessed",
		Source:   "GitLab Runner and EE specs",
		Kind:     scenario.Abuse,
		Core:     true,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: a policy that is too wide, an environment or branch that is ignored.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			stranger := gitlab.Job{Environment: "steamer-none", Ref: "steamer-none", RefType: "branch"}
			checked := 0
			for _, tenant := range env.Sample(10) {
				// The login works without any rights, so that the refusals below come from
				// policies.
				names := []string{"STEAMER_NO_SUCH_SECRET"}
				for _, s := range tenant.Secrets {
					if s.Environment != gitlab.Any || s.Branch != gitlab.Any {
						names = append(names, s.Name)
					}
				}
				for _, name := range names {
					a, err := env.Fetch(ctx, tenant, name, stranger)
					require.NoError(t, err)
					denied(t, name+" of "+tenant.Name, a)
					checked++
				}
			}
			t.Measure("refusals", float64(checked))
		},
	}
}
