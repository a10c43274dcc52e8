package plan_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
)

// TestWorkload: what the plan says of the load wins over the profile, and what contradicts itself
// is refused.
func TestWorkload(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	mixed := filepath.Join(t.TempDir(), "mixed.yaml")
	require.NoError(t, os.WriteFile(mixed, []byte(
		`{apiVersion: steamer/v1, kind: Profile, name: mixed, workload: fetch, mode: mixed, weights: {inline: 9, rails: 1}, retries: true,
stages: [{duration: 10s, perSecond: 5}], rate: {tier: true}, vus: {initial: 1, max: 9}, tenants: {choice: hot, hot: 9, share: 0.5}}`), 0o600))
	for name, tc := range map[string]struct {
		change  func(*plan.Plan)
		wantErr string
		check   func(*testing.T, *plan.Resolved)
	}{
		"size": {
			func(p *plan.Plan) { p.Size, p.Adoption = "10k", 0.2 }, "",
			func(t *testing.T, r *plan.Resolved) { require.InDelta(t, 12, r.Rate, 0) },
		},
		"a larger tier": {
			func(p *plan.Plan) { p.Size, p.Adoption, p.Tier = "10k", 0.2, "60" }, "",
			func(t *testing.T, r *plan.Resolved) {
				require.InDelta(t, 12, r.Rate, 0)
				require.Equal(t, "60", r.Tier.Name)
			},
		},
		"a smaller tier": {
			func(p *plan.Plan) { p.Size, p.Adoption, p.Tier = "10k", 0.2, "6" },
			"means 12 fetches per second", nil,
		},
		"no adoption":      {func(p *plan.Plan) { p.Size = "10k" }, "--adoption", nil},
		"no size":          {func(p *plan.Plan) { p.Adoption = 0.5 }, "--size", nil},
		"unknown size":     {func(p *plan.Plan) { p.Size, p.Adoption = "9k", 0.5 }, "50k", nil},
		"beyond the table": {func(p *plan.Plan) { p.Size, p.Adoption, p.Tier = "50k", 1, "150" }, "ends at 150", nil},
		"rate twice":       {func(p *plan.Plan) { p.Size, p.Adoption, p.Rate = "10k", 0.2, 3 }, "say the rate as well", nil},
		"mode": {
			func(p *plan.Plan) { p.Mode = "rails" }, "",
			func(t *testing.T, r *plan.Resolved) { require.True(t, r.Profile.Writes()) },
		},
		"unknown mode":  {func(p *plan.Plan) { p.Mode = "fast" }, `mode "fast"`, nil},
		"mixed of what": {func(p *plan.Plan) { p.Mode = "mixed" }, "use a profile with weights", nil},
		"retries": {
			func(p *plan.Plan) { p.Retries = &yes }, "",
			func(t *testing.T, r *plan.Resolved) { require.True(t, r.Profile.Retries) },
		},
		"profile as it is": {func(p *plan.Plan) { p.Profile = mixed }, "", func(t *testing.T, r *plan.Resolved) {
			require.True(t, r.Profile.Retries)
			require.Equal(t, "mixed", r.Profile.Mode)
		}},
		"no retries, not mixed": {
			func(p *plan.Plan) { p.Profile, p.Retries, p.Mode = mixed, &no, "inline" }, "",
			func(t *testing.T, r *plan.Resolved) {
				require.False(t, r.Profile.Retries)
				require.False(t, r.Profile.Writes())
			},
		},
		"rates of their own": {func(p *plan.Plan) { p.Profile, p.Rate = mixed, 3 }, "rates of their own", nil},
		"too few tenants":    {func(p *plan.Plan) { p.Profile, p.Tenants = mixed, 8 }, "there are only 8 tenants", nil},
		"a stage too fast":   {func(p *plan.Plan) { p.Profile, p.Rate = "breakpoint", 9000 }, "a stage has", nil},
		"no load": {
			func(p *plan.Plan) { p.Profile, p.Tenants, p.Load = mixed, 8, false }, "",
			func(*testing.T, *plan.Resolved) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan.Default(root)
			p.Load = true
			tc.change(&p)
			r, err := p.Resolve(t.Context(), root, chart.Fetcher{})
			if tc.wantErr != "" {
				require.ErrorContains(t, err, tc.wantErr)
				require.Equal(t, exit.Invalid, exit.CodeOf(err))
				return
			}
			require.NoError(t, err)
			tc.check(t, r)
		})
	}
}
