package access

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

func relations() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Protects: "the secrets of every project from closely related projects",
		Source:   "GitLab EE spec pipeline_secrets_access_spec.rb: sibling project and fork",
		Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
	},
		// Catches: a namespace or a role that the projects of a group share.
		scenario.Row("access/sibling-project", "A project in the same group is refused by login and namespace",
			related(func(victim, thief gitlab.Tenant) gitlab.Tenant {
				thief.Org, thief.Group = victim.Org, victim.Group
				return thief
			})),
		// Catches: a role that accepts a fork as its origin.
		scenario.Row("access/fork-project", "A fork in another group is refused by login and namespace",
			related(func(victim, thief gitlab.Tenant) gitlab.Tenant {
				thief.Org = victim.Org
				return thief
			})),
		// Catches: an organisation that is only part of a name.
		scenario.Row("access/other-organisation",
			"A project in another organisation is refused by login and namespace",
			related(func(_, thief gitlab.Tenant) gitlab.Tenant { return thief })),
		// Catches: project IDs compared by prefix.
		scenario.Row("access/longer-project-id", "A project whose ID starts with the victim's ID is refused",
			related(func(victim, thief gitlab.Tenant) gitlab.Tenant {
				thief.Org, thief.Group, thief.Project = victim.Org, victim.Group, victim.Project*10
				return thief
			})),
		// Catches: rights that follow the user into every project that they run jobs in.
		scenario.Row("access/same-user", "A job of the victim's owner in another project is refused",
			related(func(victim, thief gitlab.Tenant) gitlab.Tenant {
				thief.User = victim.User
				return thief
			})),
	)
}

// related provisions a victim's project and a related thief's project. Both have a secret of the
// same name. It expects that neither reads the other's.
func related(thief func(victim, fresh gitlab.Tenant) gitlab.Tenant) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		recipes, err := tenancy.Of(env)
		require.NoError(t, err)
		for _, r := range recipes {
			victim := tenancy.Fresh(one())
			made, remove := tenancy.Make(ctx, t, env, r, victim, thief(victim, tenancy.Fresh(one())))
			func() {
				defer remove()
				steal(ctx, t, env, made[1], made[0])
				steal(ctx, t, env, made[0], made[1])
			}()
		}
	}
}
