package access

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

// The two sorts of group secrets.
const (
	protected   = "protected"
	unprotected = "unprotected"
)

// groupRow is a job, by what differs from the claims of one on a protected ref of the default
// environment, and what it may read of a group's four secrets: protected and unprotected, each for
// all environments and for the default one.
type groupRow struct {
	name, title                 string
	claims                      map[string]any // nil as value deletes the claim; {group} is the group's ID
	protectedAll, protectedEnv  bool
	unprotectedAll, unprotectEn bool
	refusal                     string // of the login; "" when it works
}

func groupRows() []groupRow {
	return []groupRow{
		// Catches: a role that does not know its own group.
		{"protected-ref", "A protected ref reads all secrets of its group", nil, true, true, true, true, ""},
		// Catches: protection that is ignored.
		{
			"unprotected-ref", "An unprotected ref reads no protected secret",
			map[string]any{"ref_protected": "false"},
			false,
			false, true, true, "",
		},
		// Catches: a missing claim taken for protected.
		{
			"no-protection", "A job that does not say whether its ref is protected reads no protected secret",
			map[string]any{"ref_protected": nil},
			false, false, true, true, "",
		},
		// Catches: any text taken for true.
		{
			"odd-protection", "Only the text true means protected",
			map[string]any{"ref_protected": "TRUE"},
			false, false, true,
			true, "",
		},
		// Catches: an environment that is ignored where the ref is protected.
		{
			"other-environment", "A job of another environment reads only what is for all",
			map[string]any{"environment": "staging"},
			true, false, true, false, "",
		},
		{
			"no-environment", "A job without environment reads only what is for all",
			map[string]any{"environment": nil},
			true,
			false, true, false, "",
		},
		// Catches: a role that lets in projects of all groups.
		{
			"other-group", "A project of another group is refused at the login",
			map[string]any{"project_group_ids": []string{"1"}},
			false, false, false, false, "project does not belong to group",
		},
		{
			"longer-group", "A group whose ID begins with the right one is another",
			map[string]any{"project_group_ids": []string{"{group}0"}},
			false, false, false, false,
			"project does not belong to group",
		},
		{
			"no-groups", "A job that names no group is refused at the login",
			map[string]any{"project_group_ids": nil},
			false,
			false, false, false, "missing project_group_ids claim",
		},
		// Catches: only the first of several groups looked at.
		{
			"nested-group", "A project of a subgroup reads the secrets of the group above",
			map[string]any{"project_group_ids": []string{"1", "{group}"}},
			true, true, true, true, "",
		},
		{
			"user-scope", "An owner's token is refused at a group's login",
			map[string]any{"secrets_manager_scope": "user"},
			false, false, false, false, "invalid secrets_manager_scope",
		},
	}
}

func groups() []scenario.Scenario {
	var out []scenario.Scenario
	for _, row := range groupRows() {
		out = append(out, scenario.Scenario{
			ID: "access/group-" + row.name, Title: row.title,
			Protects: "secrets that a group shares with its projects, the protected ones from unprotected refs",
			Source:   "GitLab EE, group_secrets_managers/pipeline_helper.rb",
			Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
			Test: func(ctx context.Context, t scenario.T, env *scenario.Env) { row.test(ctx, t, env) },
		})
	}
	return out
}

func (row groupRow) test(ctx context.Context, t scenario.T, env *scenario.Env) {
	recipe, err := tenancy.Group(env)
	require.NoError(t, err)
	secrets := []gitlab.Secret{
		{Name: "P_ALL", Environment: gitlab.Any, Branch: protected, Version: 1},
		{Name: "P_ENV", Environment: gitlab.DefaultEnvironment, Branch: protected, Version: 1},
		{Name: "U_ALL", Environment: gitlab.Any, Branch: unprotected, Version: 1},
		{Name: "U_ENV", Environment: gitlab.DefaultEnvironment, Branch: unprotected, Version: 1},
	}
	made, remove := tenancy.Make(ctx, t, env, recipe, tenancy.Fresh(secrets))
	defer remove()
	group := made[0]
	claims := env.Issuer.PipelineClaims(env.Audience, group, gitlab.DefaultJob())
	for name, value := range row.claims {
		if ids, ok := value.([]string); ok {
			value = strings.Split(strings.ReplaceAll(strings.Join(ids, ","), "{group}", strconv.Itoa(group.Group)), ",")
		}
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	jwt, err := env.Issuer.Sign(claims, nil)
	require.NoError(t, err)
	for i, may := range []bool{row.protectedAll, row.protectedEnv, row.unprotectedAll, row.unprotectEn} {
		a, err := env.Send(ctx, gitlab.FetchOf(group, secrets[i].Name, jwt))
		require.NoError(t, err)
		switch {
		case row.refusal != "":
			if !a.InlineAuthFailed || !strings.Contains(strings.ToLower(strings.Join(a.Errors, " ")), row.refusal) {
				t.Errorf("%s: %v, want the login refused: %s", secrets[i].Name, a, row.refusal)
			}
		case !may:
			denied(t, secrets[i].Name, a)
		case !a.OK() || a.Value() != group.Value(env.Seed, secrets[i]):
			t.Errorf("%s: %v, want its value", secrets[i].Name, a)
		}
	}
}
