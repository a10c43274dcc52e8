// Package alerts evaluates a chart's alerting rules over recorded metrics with Prometheus' own
// query engine, as promtool does in unit tests of rules.
package alerts

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"gitlab.com/steamer/steamer/harness/chart"
)

// Rule is an alerting rule of a PrometheusRule.
type Rule struct {
	Alert string
	Expr  string
	For   time.Duration // how long the expression must hold before the alert fires; 0 is at once
}

// manifest is what a PrometheusRule says of its rules.
type manifest struct {
	Spec struct {
		Groups []struct {
			Rules []struct {
				Alert string `json:"alert"`
				Expr  string `json:"expr"`
				For   string `json:"for"`
			} `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

// Rules returns the alerting rules in a chart's rendered templates, by file name. Recording rules
// are left out. An expression or a duration that Prometheus refuses is an error, and so are no
// rules.
func Rules(files map[string]string) (found []Rule, err error) {
	objects, err := chart.Objects(chart.Documents(files))
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		if o.GetKind() != "PrometheusRule" {
			continue
		}
		var object manifest
		if err = chart.As(o, &object); err == nil {
			err = object.add(&found)
		}
		if err != nil {
			return nil, fmt.Errorf("PrometheusRule %s: %w", o.GetName(), err)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the chart renders no alert rules")
	}
	slices.SortFunc(found, func(a, b Rule) int { return strings.Compare(a.Alert, b.Alert) })
	return found, nil
}

func (m manifest) add(found *[]Rule) error {
	for _, group := range m.Spec.Groups {
		for _, r := range group.Rules {
			if r.Alert == "" {
				continue
			}
			rule := Rule{Alert: r.Alert, Expr: r.Expr}
			if _, err := prometheus().ParseExpr(r.Expr); err != nil {
				return fmt.Errorf("alert %s: %w", r.Alert, err)
			}
			if r.For != "" {
				hold, err := model.ParseDuration(r.For)
				if err != nil {
					return fmt.Errorf("alert %s: %w", r.Alert, err)
				}
				rule.For = time.Duration(hold)
			}
			*found = append(*found, rule)
		}
	}
	return nil
}

// metrics returns the names of the metrics that an expression reads, sorted. An expression that
// Prometheus refuses is an error.
func metrics(expr string) ([]string, error) {
	selectors, err := Selectors(expr)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(selectors))
	for _, s := range selectors {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Selectors returns the selectors of an expression in the order in which they stand. An expression
// that Prometheus refuses is an error.
func Selectors(expr string) (found []*parser.VectorSelector, err error) {
	parsed, err := prometheus().ParseExpr(expr)
	if err != nil {
		return nil, err
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			if s.Name == "" { // the name may stand among the matchers
				for _, m := range s.LabelMatchers {
					if m.Name == model.MetricNameLabel {
						s.Name = m.Value
					}
				}
			}
			found = append(found, s)
		}
		return nil
	})
	return found, nil
}

func prometheus() parser.Parser { return parser.NewParser(parser.Options{}) }
