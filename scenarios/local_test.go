package scenarios_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

func TestAllIsSound(t *testing.T) {
	t.Parallel()
	require.NoError(t, scenario.Validate(scenarios.All()))
	require.Greater(t, len(scenarios.All()), 200)
}

// TestLocal runs every scenario against a real OpenBao that is provisioned right:
// all pass, but those that need a cluster, which say so.
func TestLocal(t *testing.T) {
	env := seeded(t, 0, 12, asIs)
	out, err := scenario.Run(t.Context(), env, scenarios.All(), scenario.Options{})
	require.NoError(t, err)
	for _, r := range out {
		want, reason := result.Passed, ""
		if !strings.HasPrefix(r.ID, "access/") && !strings.HasPrefix(r.ID, "abuse/") {
			want, reason = result.Skipped, "OpenBao does not run on a Kubernetes cluster here"
		}
		assert.Equal(t, want, r.Status, "%s: %s", r.ID, r.Reason)
		assert.Equal(t, reason, r.Reason, r.ID)
		t.Logf("%-34s %-8s %.2f s %v", r.ID, r.Status, r.Seconds, r.Measured)
	}
}

// TestScenariosCanFail provisions tenants wrongly on purpose, one defect each, and
// expects the scenario that guards against it to fail for that reason.
func TestScenariosCanFail(t *testing.T) {
	const jwt, cel, group = "two-level-jwt", "three-level-cel", "group-three-level-cel"
	const value, metadata = "data/explicit/${.Secret.Name}: [read]", "metadata/explicit/${.Secret.Name}: [read]"
	both := func(edits ...func(id, yaml string) string) func(id, yaml string) string {
		return func(id, yaml string) string {
			for _, edit := range edits {
				yaml = edit(id, yaml)
			}
			return yaml
		}
	}
	without := func(only, text string) func(id, yaml string) string { return replace(t, only, text, "") }
	defects := []struct {
		name   string
		edit   func(id, yaml string) string
		caught string // scenario
		reason string
	}{
		{"CEL role does not compare the project", without(cel, "project_id != expected_project_id ? 'token project_id does not match project' :"), "access/other-project", "want the login refused"},
		{"JWT role is not bound to the project", without(jwt, "        project_id: \"${.Project}\"\n"), "abuse/token-project-wrong", "want the login refused"},
		{"JWT role lets in siblings", without(jwt, "        project_id: \"${.Project}\"\n"), "access/sibling-project", "want the login refused"},
		{"policy covers all secrets", replace(t, "", value, "data/explicit/*: [read]"), "access/missing-policy", "want 403"},
		{"policy covers names that begin alike", replace(t, "", value, "data/explicit/${.Secret.Name}*: [read]"), "access/name-secret-short", "want 403"},
		{"environment is ignored", replace(t, cel, "environment_hex != '' ? 'pipelines/env/' + environment_hex : ''", "'pipelines/env/70726f64756374696f6e'"), "access/job-other-environment", "SECRET_2"},
		{"ref type is ignored by the JWT role", replace(t, jwt, `eq .ref_type "branch"`, `ne .ref_type "x"`), "access/job-tag-of-same-name", "SECRET_3"},
		{"ref type is ignored by the CEL role", replace(t, cel, "ref_type == 'branch' && ref != ''", "ref != ''"), "access/job-tag-of-same-name", "SECRET_3"},
		{"metadata of all secrets is readable", replace(t, "", metadata, "metadata/explicit/*: [read]"), "access/job-reads-other-metadata", "want 403"},
		{"metadata of the own secret is not readable", replace(t, "", metadata, "metadata/explicit/${.Secret.Name}: [list]"), "access/job-reads-metadata", "want 200"},
		{"jobs may list", replace(t, "", metadata, "metadata/*: [read, list]"), "access/job-lists", "want 403"},
		{"jobs may write", replace(t, "", value, "data/explicit/${.Secret.Name}: [read, update]"), "access/job-writes", "want 403"},
		{"jobs may delete", replace(t, "", value, "data/explicit/${.Secret.Name}: [read, delete]"), "access/job-deletes-value", "want 403"},
		{"owners may read values", replace(t, "", "secrets/kv/data/*: [create,", "secrets/kv/data/*: [read, create,"), "access/owner-reads-value", "want 403"},
		{"owners may not list", replace(t, "", "metadata/*: [create, read, update, delete, list, scan]", "metadata/*: [create, read, update, delete]"), "access/owner-lists", "want 200"},
		{"user role does not compare the project", without("", "project_id != expected_project_id ? 'token project_id does not match role base' :"), "access/login-owner-of-other-project", "want the login refused"},
		{"user role takes jobs", both(without("", "!sub.startsWith('user:') ? 'invalid subject for user authentication' :"), without("", "scope != 'user' ? 'invalid secrets_manager_scope' :")), "access/login-job-at-user", "want the login refused"},
		{"leeway of ten days", leeway, "abuse/token-expired", "want the login refused"},
		{"CEL role accepts any audience", both(without(cel, "aud != expected_aud ? 'audience validation failed' :"), replace(t, cel, "bound_audiences: [\"${.Audience}\"]", "bound_audiences: []")), "abuse/token-audience-wrong", "want the login refused"},
		{"JWT role accepts any scope", without(jwt, "        secrets_manager_scope: pipeline\n"), "abuse/token-scope-of-user", "want the login refused"},
		{"CEL role accepts any scope", without(cel, "secrets_manager_scope != 'pipeline' ? 'invalid secrets_manager_scope' :"), "abuse/token-scope-of-user", "want the login refused"},
		{"CEL role accepts any subject", without(cel, "!sub.startsWith('project_path:') ? 'invalid subject for pipeline authentication' :"), "abuse/token-subject-of-user", "want the login refused"},
		{"CEL role accepts no user", replace(t, cel, "user_id == '' ? 'missing user_id' :\n          aud == ''", "aud == ''"), "abuse/token-user-missing", "want the login refused"},
		{"issuer is not bound", without("", "      bound_issuer: ${.Issuer}\n"), "abuse/token-issuer-wrong", "want the login refused"},
		{"group role ignores protection", replace(t, group, "string(claims['ref_protected']) == 'true'", "true"), "access/group-unprotected-ref", "P_ALL"},
		{"group role takes every project", without(group, "!project_group_ids.exists(g, string(g) == group_id) ? 'project does not belong to group' :"), "access/group-other-group", "want the login refused"},
	}
	for i, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			env := seeded(t, 1000*(i+1), 2, d.edit)
			r := run(t, env, d.caught)
			require.Equal(t, result.Failed, r.Status, "the defect went unnoticed")
			require.Contains(t, strings.Join(r.Log, "\n"), d.reason)
			t.Logf("caught: %s", r.Reason)
		})
	}
}

// leeway lets expired tokens live for ten days in both kinds of role.
func leeway(id, yaml string) string {
	yaml = strings.ReplaceAll(yaml, "      clock_skew_leeway: 60\n", "      clock_skew_leeway: 864000\n")
	return strings.ReplaceAll(yaml, "      role_type: jwt\n", "      role_type: jwt\n      clock_skew_leeway: 864000\n")
}

// TestWrongValue shows that a value of another seed is noticed and not printed.
func TestWrongValue(t *testing.T) {
	env := seeded(t, 20000, 2, asIs)
	env.Seed = "another"
	r := run(t, env, "access/own-secret")
	require.Equal(t, result.Failed, r.Status)
	require.Contains(t, r.Reason, "wrong value (63 bytes, KV version 1)")
	require.NotContains(t, strings.Join(r.Log, "\n"), "steamer-v1-")
}
