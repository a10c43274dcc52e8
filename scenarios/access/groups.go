package access

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

func groups() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Features: []scenario.Feature{scenario.FeatureNamespaces},
		Protects: "secrets that a group shares with its projects, and protected ones from unprotected refs",
		Source:   "GitLab EE, group_secrets_managers/pipeline_helper.rb",
		Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
	},
		// Catches: a role that refuses its own group.
		scenario.Row("access/group-protected-ref", "A job on a protected ref reads all secrets of its group",
			groupReads(nil, "P_ALL", "P_ENV", "U_ALL", "U_ENV")),
		// Catches: protection that is ignored.
		scenario.Row("access/group-unprotected-ref", "A job on an unprotected ref reads no protected secret",
			groupReads(map[string]any{"ref_protected": "false"}, "U_ALL", "U_ENV")),
		// Catches: a missing claim treated as protected.
		scenario.Row("access/group-no-protection", "A job without the claim ref_protected reads no protected secret",
			groupReads(map[string]any{"ref_protected": nil}, "U_ALL", "U_ENV")),
		// Catches: any text treated as true.
		scenario.Row("access/group-odd-protection", "Only the text true counts as protected",
			groupReads(map[string]any{"ref_protected": "TRUE"}, "U_ALL", "U_ENV")),
		// Catches: an environment that is ignored where the ref is protected.
		scenario.Row("access/group-other-environment",
			"A job for another environment reads only secrets for all environments",
			groupReads(map[string]any{"environment": "staging"}, "P_ALL", "U_ALL")),
		scenario.Row("access/group-no-environment", "A job without an environment reads only secrets for all environments",
			groupReads(map[string]any{"environment": nil}, "P_ALL", "U_ALL")),
		// Catches: a role that accepts projects of all groups.
		scenario.Row("access/group-other-group", "A project of another group is refused at the login",
			groupRefuses(map[string]any{"project_group_ids": []string{"1"}}, "project does not belong to group")),
		scenario.Row("access/group-longer-group", "A group whose ID starts with the right ID is refused",
			groupRefuses(map[string]any{"project_group_ids": []string{"{group}0"}}, "project does not belong to group")),
		scenario.Row("access/group-no-groups", "A job that names no group is refused at the login",
			groupRefuses(map[string]any{"project_group_ids": nil}, "missing project_group_ids claim")),
		// Catches: a check of only the first of several groups.
		scenario.Row("access/group-nested-group", "A project in a subgroup reads the secrets of the parent group",
			groupReads(map[string]any{"project_group_ids": []string{"1", "{group}"}}, "P_ALL", "P_ENV", "U_ALL", "U_ENV")),
		scenario.Row("access/group-user-scope", "An owner's token is refused at a group's pipeline login",
			groupRefuses(map[string]any{"secrets_manager_scope": "user"}, "invalid secrets_manager_scope")),
	)
}

// groupSecrets are protected (P) and unprotected (U) ones, for all environments and for the
// default one.
func groupSecrets() []gitlab.Secret {
	const protected, unprotected = "protected", "unprotected"
	return []gitlab.Secret{
		{Name: "P_ALL", Environment: gitlab.Any, Branch: protected, Version: 1},
		{Name: "P_ENV", Environment: gitlab.DefaultEnvironment, Branch: protected, Version: 1},
		{Name: "U_ALL", Environment: gitlab.Any, Branch: unprotected, Version: 1},
		{Name: "U_ENV", Environment: gitlab.DefaultEnvironment, Branch: unprotected, Version: 1},
	}
}

// groupReads changes the claims of a job on a protected ref of the default environment, and
// expects that it reads exactly these of its group's secrets. A nil value deletes a claim; {group}
// stands for the group's ID.
func groupReads(claims map[string]any, names ...string) scenario.Test {
	return groupJob(claims, func(t scenario.T, value, name string, a gitlab.Answer) {
		switch {
		case !slices.Contains(names, name):
			denied(t, name, a)
		case !a.OK() || a.Value() != value:
			t.Errorf("%s: %v, want its value", name, a)
		}
	})
}

// groupRefuses is groupReads for a job whose login is refused with this text.
func groupRefuses(claims map[string]any, text string) scenario.Test {
	return groupJob(claims, func(t scenario.T, _, name string, a gitlab.Answer) {
		if !a.InlineAuthFailed || !strings.Contains(strings.ToLower(strings.Join(a.Errors, " ")), text) {
			t.Errorf("%s: %v, want the login refused: %s", name, a, text)
		}
	})
}

func groupJob(change map[string]any, judge func(t scenario.T, value, name string, a gitlab.Answer)) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		recipe, err := tenancy.Group(env)
		require.NoError(t, err)
		made, remove := tenancy.Make(ctx, t, env, recipe, tenancy.Fresh(groupSecrets()))
		defer remove()
		group := made[0]
		claims := env.Issuer.PipelineClaims(env.Audience, group, gitlab.DefaultJob())
		for name, value := range change {
			if ids, ok := value.([]string); ok {
				value = strings.Split(strings.ReplaceAll(strings.Join(ids, ","), "{group}", strconv.Itoa(group.Group)), ",")
			}
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		jwt, err := env.Issuer.Sign(claims, nil)
		require.NoError(t, err)
		for _, s := range group.Secrets {
			a, err := env.Send(ctx, gitlab.FetchOf(group, s.Name, jwt))
			require.NoError(t, err)
			judge(t, group.Value(env.Seed, s), s.Name, a)
		}
	}
}
