// Package stack holds the scenarios that manage secrets through GitLab's GraphQL API and fetch
// them as its jobs do.
package stack

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Scenarios returns the group's scenarios. They catch a GitLab and an OpenBao that each work, but
// not together: an audience, issuer, namespace or policy that the other side does not expect; a
// version of Rails whose requests this OpenBao refuses.
func Scenarios() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Subject:  scenario.SubjectGitLab,
		Source:   "GitLab EE, ee/app/graphql/mutations/secrets_management and its specs",
		Features: []scenario.Feature{scenario.FeatureStack},
		Kind:     scenario.Functional, Budget: 5 * time.Minute,
	},
		scenario.Scenario{
			ID: "stack/manager-active", Title: "A project's secrets manager becomes active, and a second one is refused",
			Protects: "projects that start to use secrets", Test: everyProject(managerActive),
		},
		scenario.Scenario{
			ID: "stack/create-then-fetch", Title: "A job gets the value of a secret created in GitLab",
			Protects: "jobs that need their secrets", Test: everyProject(createThenFetch),
		},
		scenario.Scenario{
			ID: "stack/create-twice", Title: "Creating a secret whose name exists is refused",
			Protects: "existing values from being overwritten by accident", Test: everyProject(createTwice),
		},
		scenario.Scenario{
			ID: "stack/update-then-fetch", Title: "The next job gets the value of a secret updated in GitLab",
			Protects: "jobs from stale values", Test: everyProject(updateThenFetch),
		},
		scenario.Scenario{
			ID: "stack/update-conflict", Title: "An update based on an old version is refused and changes nothing",
			Protects: "users from overwriting each other's changes", Test: everyProject(updateConflict),
		},
		scenario.Scenario{
			ID: "stack/delete-then-fetch", Title: "The next job cannot read a secret deleted in GitLab",
			Protects: "secrets that must no longer be used", Test: everyProject(deleteThenFetch),
		},
		scenario.Scenario{
			ID: "stack/listing", Title: "GitLab lists names and restrictions, but no values",
			Protects: "values from users who may only manage them", Test: everyProject(listing),
		},
		scenario.Scenario{
			ID: "stack/value-limit", Title: "A value of 10,000 bytes is returned unchanged, and a longer one is refused",
			Protects: "users from truncated values", Test: everyProject(valueLimit),
		},
		scenario.Scenario{
			ID: "stack/bad-name", Title: "A name that is not a valid variable name is refused",
			Protects: "paths in OpenBao from user input", Test: everyProject(badName),
		},
		scenario.Scenario{
			ID: "stack/nobody", Title: "A client without a GitLab token can neither read nor change anything",
			Protects: "every project's secrets", Test: everyProject(nobody),
		},
		scenario.Scenario{
			ID: "stack/job-matrix", Title: "A job reads exactly the secrets for its own environment and branch",
			Protects: "secrets that are restricted to an environment or a branch", Test: everyProject(jobMatrix),
		},
		scenario.Scenario{
			ID: "stack/restriction-moved", Title: "Moving a secret to another branch and back takes effect immediately",
			Protects: "secrets whose restriction was tightened", Test: everyProject(restrictionMoved),
		},
	)
}

// everyProject runs a check on every project behind the API.
func everyProject(check func(p *project)) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		for i := range env.Stacks {
			p := &project{Context: ctx, T: t, env: env, Stack: &env.Stacks[i]}
			p.activate()
			check(p)
		}
	}
}
