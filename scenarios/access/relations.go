package access

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

// relationRow is how a thief's project is related to the victim's. Both hold a secret of the same
// name.
type relationRow struct {
	name, title string
	thief       func(victim, fresh gitlab.Tenant) gitlab.Tenant
}

func relationRows() []relationRow {
	return []relationRow{
		// Catches: a namespace or a role of the group that its projects share.
		{
			"sibling-project", "A project of the same group is refused, at the login and by the namespace",
			func(victim, thief gitlab.Tenant) gitlab.Tenant {
				thief.Org, thief.Group = victim.Org, victim.Group
				return thief
			},
		},
		// Catches: a role that takes a fork for its origin.
		{
			"fork-project", "A fork in another group is refused, at the login and by the namespace",
			func(victim, thief gitlab.Tenant) gitlab.Tenant {
				thief.Org = victim.Org
				return thief
			},
		},
		// Catches: an organisation that is only a part of a name.
		{
			"other-organisation", "A project of another organisation is refused, at the login and by the namespace",
			func(_, thief gitlab.Tenant) gitlab.Tenant {
				return thief
			},
		},
		// Catches: a project ID compared as text that begins alike.
		{
			"longer-project-id", "A project whose ID begins with the victim's ID is refused",
			func(victim, thief gitlab.Tenant) gitlab.Tenant {
				thief.Org, thief.Group, thief.Project = victim.Org, victim.Group, victim.Project*10
				return thief
			},
		},
		// Catches: rights that follow the user into every project that they run jobs in.
		{
			"same-user", "A job that the victim's owner runs in another project is refused",
			func(victim, thief gitlab.Tenant) gitlab.Tenant {
				thief.User = victim.User
				return thief
			},
		},
	}
}

func relations() []scenario.Scenario {
	var out []scenario.Scenario
	for _, row := range relationRows() {
		out = append(out, scenario.Scenario{
			ID: "access/" + row.name, Title: row.title,
			Protects: "the secrets of every project from the projects closest to it",
			Source:   "GitLab EE spec pipeline_secrets_access_spec.rb: sibling project and fork",
			Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
			Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
				recipes, err := tenancy.Of(env)
				require.NoError(t, err)
				secrets := []gitlab.Secret{{Name: "SECRET_1", Environment: gitlab.Any, Branch: gitlab.Any, Version: 1}}
				for _, r := range recipes {
					victim := tenancy.Fresh(secrets)
					made, remove := tenancy.Make(ctx, t, env, r, victim, row.thief(victim, tenancy.Fresh(secrets)))
					func() {
						defer remove()
						steal(ctx, t, env, made[1], made[0])
						steal(ctx, t, env, made[0], made[1])
					}()
				}
			},
		})
	}
	return out
}
