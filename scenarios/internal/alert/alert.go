// Package alert says which alerts of a chart a pod's own metrics would fire. It knows the one form
// that such alerts have: a metric compared with a number; rates and sums over several pods are not
// one pod's matter.
package alert

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/VictoriaMetrics/metricsql"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Rule is an alerting rule of a PrometheusRule.
type Rule struct {
	Alert string `json:"alert"`
	Expr  string `json:"expr"`
}

// Labels are the labels that Prometheus adds to every sample of a pod it scrapes.
type Labels map[string]string

// Rules returns the alerting rules in a chart's rendered templates. None at all is an error.
func Rules(files map[string]string) (found []Rule, err error) {
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
					Groups []struct{ Rules []Rule }
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

// Firing returns the names of the rules that hold for a pod with these metrics, given in
// Prometheus' text format.
func Firing(rules []Rule, target Labels, metrics []byte) ([]string, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(metrics)))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	var names []string
	for _, rule := range rules {
		fires, err := holds(rule.Expr, target, families)
		if err != nil {
			return nil, fmt.Errorf("alert %s: %w", rule.Alert, err)
		}
		if fires {
			names = append(names, rule.Alert)
		}
	}
	return names, nil
}

func holds(expr string, target Labels, families map[string]*dto.MetricFamily) (bool, error) {
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
		matches, err := match(filters[1:], labels)
		if err != nil {
			return false, err
		}
		if matches && compare(comparison.Op, value(sample), number.N) {
			return true, nil
		}
	}
	return false, nil
}

func match(filters []metricsql.LabelFilter, labels map[string]string) (bool, error) {
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

// value is a gauge's, a counter's or an untyped metric's value: those that have one.
func value(m *dto.Metric) float64 {
	return m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
}

func compare(op string, a, b float64) bool {
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
