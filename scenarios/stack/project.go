package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/gitlab/graphql"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// project is what a scenario works with.
type project struct {
	context.Context
	scenario.T
	*scenario.Stack
	env *scenario.Env
}

// activate creates the project's secrets manager if it has none.
func (p *project) activate() {
	p.Helper()
	status, err := p.API.Status(p.Context, p.Project)
	require.NoError(p.T, err)
	if status == "" {
		require.NoError(p.T, p.API.Initialize(p.Context, p.Project))
	}
	p.env.Await(p.Context, p.T, "the secrets manager of "+p.Project+" is active", p.env.Timeouts.Ready,
		func(ctx context.Context) error {
			status, err := p.API.Status(ctx, p.Project)
			if err == nil && status != graphql.Active {
				err = fmt.Errorf("its state is %q", status)
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
			p.Errorf("cleanup of %s: %v", name, err)
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
	require.True(p.T, a.Value() == value, "%s of %s: wrong value (%d bytes, want %d)", name, p.Project, len(a.Value()),
		len(value))
}

// refuses expects that GitLab refuses, for a reason with this text.
func (p *project) refuses(err error, text string) {
	p.Helper()
	var refused *graphql.RefusedError
	require.ErrorAs(p.T, err, &refused)
	require.ErrorContains(p.T, err, text)
}
