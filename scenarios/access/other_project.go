package access

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func otherProject() scenario.Scenario {
	return scenario.Scenario{
		ID:       "access/other-project",
		Subject:  scenario.SubjectServer,
		Title:    "A job cannot read the secrets of another project",
		Protects: "the secrets of every project from every other project on the instance",
		Source:   "GitLab EE spec pipeline_secrets_access_spec.rb",
		Kind:     scenario.Abuse,
		Core:     true,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: a role or a CEL program that does not check the project, and a namespace that
		// projects share.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			pairs := 0
			for _, victim := range env.Sample(6) {
				for _, thief := range thieves(env.Tenants, victim) {
					steal(ctx, t, env, thief, victim)
					pairs++
				}
			}
			require.NotZero(t, pairs, "this scenario needs at least two tenants")
			t.Measure("pairs", float64(pairs))
		},
	}
}

// thieves returns a project of the victim's own group, where there is one, and
// one of another group.
func thieves(tenants []gitlab.Tenant, victim gitlab.Tenant) []gitlab.Tenant {
	var sibling, stranger *gitlab.Tenant
	for i, t := range tenants {
		switch {
		case t.Project == victim.Project:
		case t.Group == victim.Group && sibling == nil:
			sibling = &tenants[i]
		case t.Group != victim.Group && stranger == nil:
			stranger = &tenants[i]
		}
	}
	var out []gitlab.Tenant
	for _, t := range []*gitlab.Tenant{sibling, stranger} {
		if t != nil {
			out = append(out, *t)
		}
	}
	return out
}

func steal(ctx context.Context, t scenario.T, env *scenario.Env, thief, victim gitlab.Tenant) {
	t.Helper()
	jwt, err := env.Issuer.Pipeline(env.Audience, thief, gitlab.DefaultJob())
	require.NoError(t, err)
	name := victim.Secrets[0].Name

	// At the victim's login, the role must notice the wrong project.
	a, err := env.Send(ctx, gitlab.FetchOf(victim, name, jwt))
	require.NoError(t, err)
	if a.Status < 400 || a.Status > 499 || !a.InlineAuthFailed {
		t.Errorf("%s logged in at %s: %v, want the login refused with a 4xx", thief.Name, victim.Name, a)
	} else if text := strings.Join(a.Errors, " "); !strings.Contains(text, "project_id") {
		t.Errorf("%s at %s: refused for a reason other than the project: %s", thief.Name, victim.Name, text)
	}

	// With its own valid login, the namespace must refuse it.
	f := gitlab.FetchOf(thief, name, jwt)
	f.SecretPath = victim.SecretPath
	a, err = env.Send(ctx, f)
	require.NoError(t, err)
	if a.Status != http.StatusForbidden || a.InlineAuthFailed {
		t.Errorf("%s read a secret of %s with its own login: %v, want 403 after the login", thief.Name, victim.Name, a)
	}
}
