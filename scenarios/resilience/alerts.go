package resilience

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/VictoriaMetrics/metricsql"
	dto "github.com/prometheus/client_model/go"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// alertRule is an alerting rule of a PrometheusRule. One form of expression is known: a metric
// compared with a number. Rates and sums over several pods cannot be decided for one pod.
type alertRule struct {
	Alert string `json:"alert"`
	Expr  string `json:"expr"`
}

// podLabels are the labels that Prometheus adds to every sample of a pod it scrapes.
type podLabels map[string]string

// alertRules returns the alerting rules in a chart's rendered templates. None at all is an error.
func alertRules(files map[string]string) (found []alertRule, err error) {
	for name, text := range files {
		documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			var object struct {
				Kind string
				Spec struct {
					Groups []struct{ Rules []alertRule }
				}
			}
			if err == nil && strings.Contains(string(document), "PrometheusRule") {
				err = yaml.Unmarshal(document, &object)
			}
			if err != nil {
				return nil, fmt.Errorf("template %s: %w", name, err)
			}
			if object.Kind != "PrometheusRule" {
				continue
			}
			for _, group := range object.Spec.Groups {
				found = append(found, group.Rules...)
			}
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the chart renders no alert rules")
	}
	return found, nil
}

// firing returns the names of the rules that hold for a pod with these metrics.
func firing(rules []alertRule, target podLabels, metrics map[string]*dto.MetricFamily) ([]string, error) {
	var names []string
	for _, rule := range rules {
		fires, err := alertHolds(rule.Expr, target, metrics)
		if err != nil {
			return nil, fmt.Errorf("alert %s: %w", rule.Alert, err)
		}
		if fires {
			names = append(names, rule.Alert)
		}
	}
	return names, nil
}

func alertHolds(expr string, target podLabels, families map[string]*dto.MetricFamily) (bool, error) {
	parsed, err := metricsql.Parse(expr)
	if err != nil {
		return false, err
	}
	comparison, ok := parsed.(*metricsql.BinaryOpExpr)
	if !ok {
		return false, nil
	}
	metric, isMetric := comparison.Left.(*metricsql.MetricExpr)
	number, isNumber := comparison.Right.(*metricsql.NumberExpr)
	if !isMetric || !isNumber || len(metric.LabelFilterss) != 1 {
		return false, nil
	}
	filters := metric.LabelFilterss[0]
	if len(filters) == 0 || filters[0].Label != "__name__" {
		return false, nil
	}
	for _, sample := range families[filters[0].Value].GetMetric() {
		labels := map[string]string{}
		for _, pair := range sample.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		for name, value := range target {
			labels[name] = value
		}
		matches, err := labelsMatch(filters[1:], labels)
		if err != nil {
			return false, err
		}
		if matches && compareTo(comparison.Op, sampleValue(sample), number.N) {
			return true, nil
		}
	}
	return false, nil
}

func labelsMatch(filters []metricsql.LabelFilter, labels map[string]string) (bool, error) {
	for _, f := range filters {
		equal := labels[f.Label] == f.Value
		if f.IsRegexp {
			pattern, err := regexp.Compile("^(?:" + f.Value + ")$") // Prometheus anchors its patterns
			if err != nil {
				return false, err
			}
			equal = pattern.MatchString(labels[f.Label])
		}
		if equal == f.IsNegative {
			return false, nil
		}
	}
	return true, nil
}

// sampleValue is a gauge's, a counter's or an untyped metric's value: those that have one.
func sampleValue(m *dto.Metric) float64 {
	return m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
}

func compareTo(op string, a, b float64) bool {
	switch op {
	case "==":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	}
	return false
}
