package scenarios_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

func TestAllIsSound(t *testing.T) {
	t.Parallel()
	require.NoError(t, scenario.Validate(scenarios.All()))
	require.Len(t, scenarios.All(), 8)
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
		require.Equal(t, want, r.Status, "%s: %s", r.ID, r.Reason)
		require.Equal(t, reason, r.Reason, r.ID)
		t.Logf("%-34s %-8s %.2f s %v", r.ID, r.Status, r.Seconds, r.Measured)
	}
}

// TestScenariosCanFail provisions tenants wrongly on purpose, one defect each, and
// expects the scenario that guards against it to fail for that reason.
func TestScenariosCanFail(t *testing.T) {
	const jwt, cel = "two-level-jwt", "three-level-cel"
	defects := []struct {
		name   string
		edit   func(id, yaml string) string
		caught string // scenario
		reason string
	}{
		{
			"CEL role does not compare the project", replace(t, cel, "project_id != expected_project_id ? 'token project_id does not match project' :", ""),
			"access/other-project", "want the login refused",
		},
		{
			"JWT role is not bound to the project", replace(t, jwt, "        project_id: \"${.Project}\"\n", ""),
			"access/other-project", "want the login refused",
		},
		{
			"policy covers all secrets", replace(t, "", "data/explicit/${.Secret.Name}: [read]", "data/explicit/*: [read]"),
			"access/missing-policy", "want 403",
		},
		{
			"environment is ignored", replace(t, cel, "environment_hex != '' ? 'pipelines/env/' + environment_hex : ''", "'pipelines/env/70726f64756374696f6e'"),
			"access/missing-policy", "SECRET_2",
		},
		{
			"leeway of ten days", leeway,
			"abuse/invalid-jwt", "expired",
		},
		{
			"CEL role accepts any audience", func(id, yaml string) string {
				yaml = replace(t, cel, "aud != expected_aud ? 'audience validation failed' :", "")(id, yaml)
				return replace(t, cel, "bound_audiences: [\"${.Audience}\"]", "bound_audiences: []")(id, yaml)
			},
			"abuse/invalid-jwt", "wrong audience",
		},
		{
			"JWT role accepts any scope", replace(t, jwt, "        secrets_manager_scope: pipeline\n", ""),
			"abuse/invalid-jwt", "wrong scope",
		},
		{
			"issuer is not bound", replace(t, "", "      bound_issuer: ${.Issuer}\n", ""),
			"abuse/invalid-jwt", "wrong issuer",
		},
	}
	for i, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			env := seeded(t, 1000*(i+1), 4, d.edit)
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
