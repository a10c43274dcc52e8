package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// released is the digest of the chart that the recorded run installed.
func released(t *testing.T) string {
	t.Helper()
	r, err := result.ReadFile(runFile)
	require.NoError(t, err)
	return r.Topologies[0].Chart.Digest
}

// asks has a comparison be made with another margin and error rate.
func asks(margin, alpha float64) func(*compare.Comparison) {
	return func(c *compare.Comparison) {
		c.Design.GateMetrics = gates(margin, decisive()...)
		c.Design.Alpha = alpha
		compare.Judge(c, nil)
	}
}

// criterion is the one with an ID.
func criterion(t *testing.T, d *gate.Decision, id string) gate.Criterion {
	t.Helper()
	i := slices.IndexFunc(d.Criteria, func(c gate.Criterion) bool { return c.ID == id })
	require.GreaterOrEqual(t, i, 0, id)
	return d.Criteria[i]
}

// TestRefusesOtherComparisons: a comparison that says nothing of this release is no evidence,
// however well it went.
func TestRefusesOtherComparisons(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change     func(*compare.Comparison)
		alone      bool   // without the run, whose tier is 12
		also       bool   // with another comparison, of tier 12
		tier       string // of the policy
		topologies []string
		want       []string
	}{
		"another tier than the loads": {
			change: func(c *compare.Comparison) { c.Design.Tier = "60" }, want: []string{
				`the comparison ran at tier "60"`, `at tier "12"`,
				"tier mismatch",
			},
		},
		"another tier than the policy": {alone: true, tier: "30", want: []string{
			`the comparison ran at tier "12"`, `at tier "30"`,
			"--tier 30",
		}},
		"two tiers in two comparisons": {
			change: func(c *compare.Comparison) { c.Design.Tier = "60" }, alone: true, also: true,
			want: []string{`the comparison ran at tier "60"`, `at tier "12"`},
		},
		"no tier": {
			change: func(c *compare.Comparison) { c.Design.Tier = "" },
			want:   []string{`the comparison ran at tier ""`},
		},
		"another topology": {
			alone: true, topologies: []string{topology.CloudNativeHybrid},
			want: []string{`compared on "cloud-native"`, "judged on cloud-native-hybrid"},
		},
		"processes": {
			change: func(c *compare.Comparison) { c.Design.Where = "local" },
			want:   []string{`compared on "local"`, "cloud-native or cloud-native-hybrid"},
		},
		"another mode": {
			change: func(c *compare.Comparison) { c.Design.Mode = "login-read" },
			want:   []string{`mode "login-read"`, "--mode inline"},
		},
		"another chart": {
			change: func(c *compare.Comparison) { c.A.Chart.Name = "vault" },
			want:   []string{"openbao 0.2.0 with vault 0.1.0", "a different chart"},
		},
		"another base": {change: func(c *compare.Comparison) {
			c.A.Chart.Version, c.A.Chart.Digest = "0.0.1",
				"sha256:slow"
		}, want: []string{
			"openbao 0.0.1 (sha256:slow)", "the declared previous release is openbao 0.1.0 (sha256:a)",
			"--previous",
		}},
		"a base of no content": {
			change: func(c *compare.Comparison) { c.A.Chart.Digest = "" },
			want:   []string{"openbao 0.1.0 (no digest)", "the declared previous release is openbao 0.1.0 (sha256:a)"},
		},
		"other values": {
			change: func(c *compare.Comparison) { c.B.Config = "sha256:values" },
			want:   []string{"have different values", "@VALUES"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var paths []string
			if tc.also {
				paths = append(paths, compared(t, 0.95, 0.02, released(t), nil))
			}
			paths = append(paths, compared(t, 0.95, 0.02, released(t), tc.change))
			if !tc.alone {
				paths = append(paths, runFile)
			}
			p := policy(t)
			p.Tier = tc.tier
			if tc.topologies != nil {
				p.Topologies = tc.topologies
			}
			evidence, err := gate.Read(paths...)
			if err == nil {
				_, err = gate.Decide(evidence, p)
			}
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			for _, want := range append(tc.want, "comparison.json", "hint: ") {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// TestAdmitsBeforeAnythingRuns: what would be refused in the end can be refused at once.
func TestAdmitsBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	evidence, err := gate.Read(compared(t, 0.95, 0.02, "sha256:b", nil))
	require.NoError(t, err)
	p := policy(t)
	require.NoError(t, p.Admits(evidence), "the policy names no tier")
	p.Tier = "12"
	require.NoError(t, p.Admits(evidence))
	p.Tier = "60"
	require.Equal(t, exit.Invalid, exit.CodeOf(p.Admits(evidence)))
}

// TestLaxComparison: one that asked for less than the gate does gives no PASS, but its FAIL
// stands.
func TestLaxComparison(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ratio, margin, alpha   float64 // of the comparison
		mostMargin, mostAlpha  float64 // of the policy
		verdict                result.Verdict
		reason                 []string
		quarantined, otherwise bool // its p95 alone has the margin; and is in quarantine
	}{
		"as the gate asks": {ratio: 0.95, margin: 0.10, alpha: 0.05, verdict: result.Pass},
		"stricter":         {ratio: 0.95, margin: 0.05, alpha: 0.01, verdict: result.Pass},
		"larger margin": {
			ratio: 1.1, margin: 0.25, alpha: 0.05, verdict: result.Inconclusive,
			reason: []string{"a margin of 25 %", "one of 10 % at most"},
		},
		"larger alpha": {
			ratio: 0.95, margin: 0.10, alpha: 0.2, verdict: result.Inconclusive,
			reason: []string{"(alpha) of 0.2", "one of 0.05 at most"},
		},
		"larger margin, and unsure": {
			ratio: 1.25, margin: 0.25, alpha: 0.05, verdict: result.Inconclusive,
			reason: []string{"a margin of 25 %", "reaches across"},
		},
		"larger margin, and missed": {
			ratio: 1.6, margin: 0.25, alpha: 0.05, verdict: result.Fail,
			reason: []string{"above the margin of 25 %"},
		},
		"the policy allows them": {
			ratio: 1.1, margin: 0.25, alpha: 0.2, mostMargin: 0.25, mostAlpha: 0.2,
			verdict: result.Pass,
		},
		"the policy is stricter": {
			ratio: 0.95, margin: 0.10, alpha: 0.05, mostMargin: 0.05, verdict: result.Inconclusive,
			reason: []string{"a margin of 10 %", "one of 5 % at most"},
		},
		"one metric's margin": {ratio: 0.95, margin: 0.25, alpha: 0.05, otherwise: true, verdict: result.Pass},
		"one metric's larger margin": {
			ratio: 0.95, margin: 0.5, alpha: 0.05, otherwise: true,
			verdict: result.Inconclusive, reason: []string{"p95", "a margin of 50 %", "one of 25 % at most"},
		},
		"one metric, but quarantine": {
			ratio: 0.95, margin: 0.5, alpha: 0.05, otherwise: true, quarantined: true,
			verdict: result.Pass,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := asks(tc.margin, tc.alpha)
			if tc.otherwise {
				change = func(c *compare.Comparison) {
					for i, g := range c.Design.GateMetrics {
						if g.Name == "fetch_p95_ms" {
							c.Design.GateMetrics[i].Margin = tc.margin
						}
					}
					compare.Judge(c, nil)
				}
			}
			paths := []string{compared(t, tc.ratio, 0.02, "sha256:b", change)}
			if tc.quarantined {
				paths = append(paths, quarantine(t, stillQuarantined()))
			}
			evidence, err := gate.Read(paths...)
			require.NoError(t, err)
			p := policy(t)
			p.Margin, p.Alpha = tc.mostMargin, tc.mostAlpha
			d, err := gate.Decide(evidence, p)
			require.NoError(t, err)
			c := criterion(t, d, gate.Comparison)
			require.Equal(t, tc.verdict, c.Verdict, "%q", c.Reasons)
			require.Equal(t, tc.verdict, d.Compared[0].Verdict, "the report shows the same")
			for _, want := range tc.reason {
				require.Contains(t, strings.Join(c.Reasons, "\n"), want)
			}
		})
	}
}

// TestUndeclaredBase: a comparison with a release that nobody declared to be the one before gives
// no PASS, but its FAIL stands.
func TestUndeclaredBase(t *testing.T) {
	t.Parallel()
	for ratio, want := range map[float64]result.Verdict{0.95: result.Inconclusive, 1.6: result.Fail} {
		evidence, err := gate.Read(compared(t, ratio, 0.02, "sha256:b", nil))
		require.NoError(t, err)
		p := policy(t)
		p.Previous = nil
		d, err := gate.Decide(evidence, p)
		require.NoError(t, err)
		c := criterion(t, d, gate.Comparison)
		require.Equal(t, want, c.Verdict, "%q", c.Reasons)
		require.True(t, c.Required, "what was given has to decide")
		if want == result.Inconclusive {
			require.Contains(t, strings.Join(c.Reasons, "\n"),
				"not declared (--previous), so openbao 0.1.0 (sha256:a) may be any release")
		}
	}
}

// TestQuarantineEnds: what was quarantined when the comparison was made is not when it is judged
// later, and the decision says so.
func TestQuarantineEnds(t *testing.T) {
	t.Parallel()
	file := compared(t, 1.04, 0.4, "sha256:b",
		func(c *compare.Comparison) { c.Started = time.Now().Add(-2 * compare.LongestQuarantine) })
	evidence, err := gate.Read(file, quarantine(t, time.Now().Add(-time.Hour)))
	require.NoError(t, err)
	d, err := gate.Decide(evidence, policy(t))
	require.NoError(t, err)
	require.Equal(t, result.Inconclusive, d.Compared[0].Verdict)
	require.Contains(t, criterion(t, d, gate.Comparison).Measured, "the quarantine of fetch_p95_ms ended on ")
}
