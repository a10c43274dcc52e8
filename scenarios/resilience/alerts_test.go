package resilience

import (
	"strings"
	"testing"

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

func TestFiring(t *testing.T) {
	t.Parallel()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	metrics, err := parser.TextToMetricFamilies(strings.NewReader(sampleMetrics))
	require.NoError(t, err)
	target := podLabels{"namespace": "bao", "pod": "openbao-5d-x2x7k"}
	for expr, fires := range map[string]bool{
		`openbao_core_unsealed == 0`:                                    true,
		`openbao_core_unsealed{namespace="bao",pod=~"openbao-.+"} == 0`: true,
		`openbao_core_unsealed{namespace="bao",pod=~"openbao"} == 0`:    false, // a pattern is anchored
		`openbao_core_unsealed{namespace="other"} == 0`:                 false,
		`openbao_core_unsealed{namespace!="bao"} == 0`:                  false,
		`openbao_core_unsealed{pod!~"stub.*"} == 0`:                     true,
		`openbao_core_unsealed == 1`:                                    false,
		`openbao_core_unsealed != 1`:                                    true,
		`openbao_core_unsealed < 1`:                                     true,
		`vault_core_unsealed == 0`:                                      false, // another prefix: no such metric
		`requests{code=~"5.."} >= 7`:                                    true,
		`requests{code="500"} > 7`:                                      false,
		`requests{code="500"} <= 6`:                                     false,
		`sum(openbao_core_unsealed) < 1`:                                false, // not one pod's matter
		`vector(1)`:                                                     false,
	} {
		got, err := firing([]alertRule{{Alert: "A", Expr: expr}}, target, metrics)
		require.NoError(t, err, expr)
		require.Equal(t, fires, len(got) == 1, expr)
	}
	_, err = firing([]alertRule{{Alert: "A", Expr: "=="}}, target, metrics)
	require.ErrorContains(t, err, "alert A")
	_, err = firing([]alertRule{{Alert: "A", Expr: `a{b=~"("} == 0`}}, target,
		map[string]*dto.MetricFamily{"a": {Metric: []*dto.Metric{{}}}})
	require.Error(t, err)
}

func TestAlertRules(t *testing.T) {
	t.Parallel()
	rules, err := alertRules(map[string]string{
		"notes.txt": "some {{text: that is no YAML",
		"rule.yaml": "kind: Service\n---\nkind: PrometheusRule\nspec:\n  groups:\n    - rules: [{alert: A, expr: a == 0}]\n    - rules: [{alert: B, expr: b == 0}]\n",
	})
	require.NoError(t, err)
	require.Equal(t, []alertRule{{Alert: "A", Expr: "a == 0"}, {Alert: "B", Expr: "b == 0"}}, rules)
	_, err = alertRules(map[string]string{"a": "kind: Service"})
	require.ErrorContains(t, err, "no alert rules")
	_, err = alertRules(map[string]string{"a": "kind: [PrometheusRule"})
	require.ErrorContains(t, err, "template a")
}
