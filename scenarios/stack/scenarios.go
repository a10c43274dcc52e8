// Package stack holds the scenarios that go through GitLab: secrets are managed by its GraphQL API
// and fetched by its jobs.
package stack

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Scenarios returns the group's scenarios. They catch a GitLab and an OpenBao that each work, but not
// together: another audience, issuer, namespace or policy than the other side expects; a version of
// Rails whose calls this OpenBao does not take.
func Scenarios() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Source:   "GitLab EE, ee/app/graphql/mutations/secrets_management and its specs",
		Features: []scenario.Feature{scenario.FeatureStack},
		Kind:     scenario.Functional, Budget: 5 * time.Minute,
	},
		scenario.Scenario{
			ID: "stack/manager-active", Title: "A project's secrets manager becomes active, and a second one is refused",
			Protects: "projects that want to keep secrets", Test: everyProject(managerActive),
		},
		scenario.Scenario{
			ID: "stack/create-then-fetch", Title: "A secret created in GitLab is what the project's job gets",
			Protects: "jobs that need their secrets", Test: everyProject(createThenFetch),
		},
		scenario.Scenario{
			ID: "stack/create-twice", Title: "A secret is not created over another of its name",
			Protects: "values from people who do not know that they are there", Test: everyProject(createTwice),
		},
		scenario.Scenario{
			ID: "stack/update-then-fetch", Title: "A new value given in GitLab is what the next job gets",
			Protects: "jobs from stale values", Test: everyProject(updateThenFetch),
		},
		scenario.Scenario{
			ID: "stack/update-conflict", Title: "A change that knows an old version is refused and changes nothing",
			Protects: "two people from overwriting each other without noticing", Test: everyProject(updateConflict),
		},
		scenario.Scenario{
			ID: "stack/delete-then-fetch", Title: "A secret deleted in GitLab is refused to the next job",
			Protects: "secrets that are no longer to be used", Test: everyProject(deleteThenFetch),
		},
		scenario.Scenario{
			ID: "stack/listing", Title: "GitLab lists names and restrictions, and no values",
			Protects: "values from those who may only manage them", Test: everyProject(listing),
		},
		scenario.Scenario{
			ID: "stack/value-limit", Title: "10,000 bytes are stored and fetched as they are, one more is refused",
			Protects: "users from values that are cut", Test: everyProject(valueLimit),
		},
		scenario.Scenario{
			ID: "stack/bad-name", Title: "A name that is no variable's is refused",
			Protects: "paths in OpenBao from what users type", Test: everyProject(badName),
		},
		scenario.Scenario{
			ID: "stack/nobody", Title: "Who is not logged in to GitLab learns nothing and changes nothing",
			Protects: "every project's secrets", Test: everyProject(nobody),
		},
		scenario.Scenario{
			ID: "stack/job-matrix", Title: "Of secrets with every restriction a job reads exactly those whose environment and branch are its own",
			Protects: "secrets that are restricted to an environment or a branch", Test: everyProject(jobMatrix),
		},
		scenario.Scenario{
			ID: "stack/restriction-moved", Title: "A secret that moves to another branch is refused to the job at once, and given when it moves back",
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
