// Package stack holds the scenarios that go through GitLab: secrets are managed by its GraphQL API
// and fetched by its jobs.
package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/gitlab/graphql"
	"gitlab.com/steamer/steamer/harness/scenario"
)

const source = "GitLab EE, ee/app/graphql/mutations/secrets_management and its specs"

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	all := []scenario.Scenario{
		of("manager-active", "A project's secrets manager becomes active, and a second one is refused",
			"projects that want to keep secrets", managerActive),
		of("create-then-fetch", "A secret created in GitLab is what the project's job gets", "jobs that need their secrets",
			createThenFetch),
		of("create-twice", "A secret is not created over another of its name",
			"values from people who do not know that they are there", createTwice),
		of("update-then-fetch", "A new value given in GitLab is what the next job gets", "jobs from stale values",
			updateThenFetch),
		of("update-conflict", "A change that knows an old version is refused and changes nothing",
			"two people from overwriting each other without noticing", updateConflict),
		of("delete-then-fetch", "A secret deleted in GitLab is refused to the next job",
			"secrets that are no longer to be used", deleteThenFetch),
		of("listing", "GitLab lists names and restrictions, and no values", "values from those who may only manage them",
			listing),
		of("value-limit", "10,000 bytes are stored and fetched as they are, one more is refused",
			"users from values that are cut", valueLimit),
		of("bad-name", "A name that is no variable's is refused", "paths in OpenBao from what users type", badName),
		of("nobody", "Who is not logged in to GitLab learns nothing and changes nothing", "every project's secrets", nobody),
		of("job-matrix", "Of secrets with every restriction a job reads exactly those whose environment and branch are its own", "secrets that are restricted to an environment or a branch", jobMatrix),
		of("restriction-moved", "A secret that moves to another branch is refused to the job at once, and given when it moves back", "secrets whose restriction was tightened", restrictionMoved),
	}
	return all
}

// of makes a scenario that holds for every project behind the API.
func of(name, title, protects string, test func(p *project)) scenario.Scenario {
	return scenario.Scenario{
		ID: "stack/" + name, Title: title, Protects: protects, Source: source,
		Features: []scenario.Feature{scenario.FeatureStack}, Kind: scenario.Functional, Cost: scenario.Slow,
		Budget: 5 * time.Minute,
		// Catches, for all: a GitLab and an OpenBao that each work, but not together: another
		// audience, issuer, namespace or policy than the other side expects; a version of Rails
		// whose calls this OpenBao does not take.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			for i := range env.Stacks {
				p := &project{Context: ctx, T: t, env: env, Stack: &env.Stacks[i]}
				p.activate()
				test(p)
			}
		},
	}
}

// project is what a scenario works with.
type project struct {
	context.Context
	scenario.T
	*scenario.Stack
	env *scenario.Env
}

// activate makes the project's secrets manager if it has none.
func (p *project) activate() {
	p.Helper()
	status, err := p.API.Status(p.Context, p.Project)
	require.NoError(p.T, err)
	if status == "" {
		require.NoError(p.T, p.API.Initialize(p.Context, p.Project))
	}
	scenario.MustConverge(p.Context, p.T, scenario.Convergence{
		What: "the secrets manager of " + p.Project + " is active", Interval: p.env.Timeouts.Poll,
		Deadline: p.env.Timeouts.Ready,
	}, func(ctx context.Context) error {
		status, err := p.API.Status(ctx, p.Project)
		if err == nil && status != graphql.Active {
			err = fmt.Errorf("it is %q", status)
		}
		return err
	})
}

// create creates a secret under a name of its own and deletes it when the scenario is over.
func (p *project) create(value, environment, branch string) (name string, remove func()) {
	p.Helper()
	name = "STEAMER_" + rand.Text()[:12]
	require.NoError(p.T, p.API.Create(p.Context, p.Project, graphql.NewSecret{
		Name: name, Description: "made by Steamer", Value: value, Environment: environment, Branch: branch,
	}))
	return name, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.Context), p.env.Timeouts.Fetch)
		defer cancel()
		var refused *graphql.RefusedError
		if err := p.API.Delete(ctx, p.Project, name); err != nil &&
			!errors.As(err, &refused) { // the scenario may have deleted it
			p.Errorf("clean-up of %s: %v", name, err)
		}
	}
}

// fetch fetches a secret as the project's job.
func (p *project) fetch(name string) gitlab.Answer {
	p.Helper()
	jwt, err := p.Token()
	require.NoError(p.T, err)
	a, err := p.env.Send(p.Context, gitlab.FetchOf(p.Tenant, name, jwt))
	require.NoError(p.T, err)
	return a
}

// gets expects that the job gets this value. Failures do not repeat it.
func (p *project) gets(name, value string) {
	p.Helper()
	a := p.fetch(name)
	require.True(p.T, a.OK(), "%s of %s: %v, want its value", name, p.Project, a)
	require.True(p.T, a.Value() == value, "%s of %s: another value (%d bytes, want %d)", name, p.Project, len(a.Value()),
		len(value))
}

// refuses expects that GitLab refuses, for a reason with this text.
func (p *project) refuses(err error, text string) {
	p.Helper()
	var refused *graphql.RefusedError
	require.ErrorAs(p.T, err, &refused)
	require.ErrorContains(p.T, err, text)
}
