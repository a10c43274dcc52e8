package scenarios_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

// TestLocal runs every scenario against a real OpenBao that is provisioned right:
// all pass except those that need a cluster, which are skipped with that reason.
func TestLocal(t *testing.T) {
	env := seeded(t, 0, 12)
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	stop, err := scenario.PlayStacks(env, 0, recipes)
	require.NoError(t, err)
	t.Cleanup(stop)
	out, err := scenario.Run(t.Context(), env, scenarios.All(), scenario.Options{})
	require.NoError(t, err)
	passed := map[string]int{}
	for i, r := range out {
		want, reason := result.Passed, env.Skip(scenarios.All()[i])
		if reason != "" {
			want = result.Skipped
		}
		assert.Equal(t, want, r.Status, "%s: %s", r.ID, r.Reason)
		assert.Equal(t, reason, r.Reason, r.ID)
		if group, _, _ := strings.Cut(r.ID, "/"); r.Status == result.Passed {
			passed[group]++
		}
		t.Logf("%-34s %-8s %.2f s %v", r.ID, r.Status, r.Seconds, r.Measured)
	}
	for group, least := range map[string]int{"access": 130, "abuse": 80, "stack": 12, "audit": 10, "config": 15} {
		assert.GreaterOrEqual(t, passed[group], least, "scenarios of %s that need no cluster", group)
	}
}

// TestScenariosCanFail tries every mutant of recipes and servers: the scenario that guards against
// the defect fails, and for that reason. Most of the time goes by waiting, so they are tried side
// by side.
func TestScenariosCanFail(t *testing.T) {
	list, err := mutation.Read("..", scenarios.All())
	require.NoError(t, err)
	list = slices.DeleteFunc(list, func(m mutation.Mutant) bool { return m.Kind == mutation.Chart })
	var tries []mutation.Try
	for range 4 {
		local := &mutation.Local{Root: "..", Scenarios: scenarios.All()}
		t.Cleanup(local.Close)
		tries = append(tries, local.Try)
	}
	outcomes, err := mutation.Each(t.Context(), list, tries, func(o mutation.Outcome) {
		t.Logf("%s: %s by %s in %.1f s: %s", o.Mutant.ID, o.Status, o.By, o.Seconds, o.Reason)
	})
	require.NoError(t, err)
	require.Len(t, outcomes, len(list))
	for _, o := range outcomes {
		t.Run(o.Mutant.ID, func(t *testing.T) {
			require.True(t, o.Sound(), "%s: the defect went unnoticed: %s", o.Status, o.Reason)
		})
	}
}

// TestWrongValue shows that a value of another seed is noticed and not printed.
func TestWrongValue(t *testing.T) {
	env := seeded(t, 20000, 2)
	env.Seed = "another"
	r := run(t, env, "access/own-secret")
	require.Equal(t, result.Failed, r.Status)
	require.Contains(t, r.Reason, "wrong value (63 bytes, KV version 1)")
	require.NotContains(t, strings.Join(r.Log, "\n"), "steamer-v1-")
}

// TestOneSecret runs scenarios on projects with a single, unrestricted secret, as --secrets 1
// seeds them: they still try what restricted secrets are refused to.
func TestOneSecret(t *testing.T) {
	env := seeded(t, 21000, 2)
	for i := range env.Tenants {
		env.Tenants[i].Secrets = env.Tenants[i].Secrets[:1]
	}
	for id, refused := range map[string]float64{
		"access/job-matching": 0, "access/job-neither": 6, "access/job-other-branch": 4, "access/own-secret": 0,
	} {
		r := run(t, env, id)
		require.Equal(t, result.Passed, r.Status, r.Reason)
		require.Equal(t, refused, r.Measured["refused"], id)
	}
	r := run(t, env, "access/missing-policy")
	require.Equal(t, result.Passed, r.Status, r.Reason)
	require.Equal(t, 2.0, r.Measured["refusals"])
}
