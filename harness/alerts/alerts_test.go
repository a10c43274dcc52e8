package alerts

import (
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

const sampleMetrics = `# TYPE openbao_core_unsealed gauge
openbao_core_unsealed 0
# TYPE requests counter
requests{code="500"} 7
# TYPE handled summary
handled{quantile="0.99"} 3
handled_sum 1
handled_count 1
`

var start = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

func families(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	metrics, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err)
	return metrics
}

func pod(name string) map[string]string { return map[string]string{"namespace": "bao", "pod": name} }

func TestEvaluateOneScrape(t *testing.T) {
	t.Parallel()
	var r Recording
	require.NoError(t, r.Scrape(start, Target{pod("openbao-5d-x2x7k"), families(t, sampleMetrics)}))
	for expr, holds := range map[string]bool{
		`openbao_core_unsealed == 0`:                                    true,
		`openbao_core_unsealed{namespace="bao",pod=~"openbao-.+"} == 0`: true,
		`openbao_core_unsealed{namespace="bao",pod=~"openbao"} == 0`:    false, // a pattern is anchored
		`openbao_core_unsealed{namespace="other"} == 0`:                 false,
		`openbao_core_unsealed{pod!~"stub.*"} == 0`:                     true,
		`openbao_core_unsealed == 1`:                                    false,
		`vault_core_unsealed == 0`:                                      false, // another prefix: no such metric
		`requests{code=~"5.."} >= 7`:                                    true,
		`handled{quantile="0.99"} > 2`:                                  true,
		`handled_sum / handled_count == 1`:                              true,
		`sum(openbao_core_unsealed) < 1`:                                true,
		`(sum(openbao_core_active) or vector(0)) < 1`:                   true,
		`up == 1`: true,
	} {
		got, err := r.Evaluate(t.Context(), []Rule{{Alert: "A", Expr: expr}}, r.Times())
		require.NoError(t, err, expr)
		require.Equal(t, holds, got[0].Holds, expr)
		require.Equal(t, holds, got[0].Fired, expr)
	}
	got, err := r.Evaluate(t.Context(), []Rule{{Alert: "A", Expr: "vault_core_unsealed + up > 0"}}, r.Times())
	require.NoError(t, err)
	require.Equal(t, []string{"vault_core_unsealed"}, got[0].Missing)
	require.False(t, got[0].Blind, "one metric of two is there")
	got, err = r.Evaluate(t.Context(), []Rule{{Alert: "A", Expr: "(sum(vault_core_active) or vector(0)) < 1"}}, r.Times())
	require.NoError(t, err)
	require.True(t, got[0].Holds && got[0].Blind, "it holds, and says nothing")
	_, err = r.Evaluate(t.Context(), []Rule{{Alert: "A", Expr: "=="}}, r.Times())
	require.ErrorContains(t, err, "alert A")
}

// TestEvaluateOverTime: the pod is sealed from the third minute to the sixth, and gone after the
// eighth.
func TestEvaluateOverTime(t *testing.T) {
	t.Parallel()
	var r Recording
	for minute := range 12 {
		lost := "lost 3\n"
		if minute >= 3 {
			lost = "lost 9\n"
		}
		metrics := families(t, "# TYPE sealed gauge\nsealed 0\n# TYPE lost counter\n"+lost)
		if minute >= 3 && minute < 6 {
			metrics = families(t, "# TYPE sealed gauge\nsealed 1\n# TYPE lost counter\n"+lost)
		}
		if minute > 8 {
			metrics = nil
		}
		require.NoError(t, r.Scrape(start.Add(time.Duration(minute)*time.Minute), Target{pod("a"), metrics}))
	}
	for _, c := range []struct {
		rule  Rule
		held  time.Duration
		fired bool
		holds bool
	}{
		{Rule{"Sealed", "sealed == 1", 0}, 2 * time.Minute, true, false},
		{Rule{"Sealed", "sealed == 1", 2 * time.Minute}, 2 * time.Minute, true, false},
		{Rule{"Sealed", "sealed == 1", 3 * time.Minute}, 2 * time.Minute, false, false}, // over before it fires
		{Rule{"Lost", "increase(lost[5m]) > 2", 0}, 3 * time.Minute, true, false},
		{Rule{"Gone", "absent(sealed)", time.Minute}, 2 * time.Minute, true, true}, // at once, not after five minutes
		{Rule{"Down", "up == 0", time.Minute}, 2 * time.Minute, true, true},
	} {
		got, err := r.Evaluate(t.Context(), []Rule{c.rule}, r.Times())
		require.NoError(t, err)
		require.Equal(t, Outcome{Rule: c.rule, Held: c.held, Fired: c.fired, Holds: c.holds}, got[0], c.rule.Alert)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	rules, err := Rules(map[string]string{
		"notes.txt": "some {{text: that is no YAML",
		"rule.yaml": "kind: Service\n---\nkind: PrometheusRule\nspec:\n  groups:\n" +
			"    - rules: [{alert: B, expr: b == 0, for: 2m}, {record: c, expr: d}]\n" +
			"    - rules: [{alert: A, expr: a == 0}]\n",
	})
	require.NoError(t, err)
	require.Equal(t, []Rule{{"A", "a == 0", 0}, {"B", "b == 0", 2 * time.Minute}}, rules)
	for text, want := range map[string]string{
		"kind: Service":                  "no alert rules",
		"kind: [PrometheusRule":          "template a",
		"{alert: A, expr: '=='}":         "alert A",
		"{alert: A, expr: a, for: soon}": "alert A",
	} {
		if strings.HasPrefix(text, "{") {
			text = "kind: PrometheusRule\nspec: {groups: [{rules: [" + text + "]}]}"
		}
		_, err = Rules(map[string]string{"a": text})
		require.ErrorContains(t, err, want)
	}
}

func FuzzRules(f *testing.F) {
	f.Add("kind: PrometheusRule\nspec: {groups: [{rules: [{alert: A, expr: a > 1, for: 1m}]}]}")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := Rules(map[string]string{"a": text})
		if err == nil {
			require.NotEmpty(t, rules)
		}
	})
}
