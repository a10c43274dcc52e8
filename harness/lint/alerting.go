package lint

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/alerts"
)

var alertingRules = []Rule{{
	ID: "wiring/alerts", Title: "alerts can fire, and dashboards show something", Severity: Error,
	Protects: "An alert on pods that are called otherwise, or with its limit in another unit, is silent for ever.",
	Hint:     "match the release's own pods, and give limits in the unit of the metric; OpenBao's times are milliseconds",
	Detail: "Reads expressions with Prometheus' own parser. Labels namespace, pod and container match what is " +
		"rendered; no metric of OpenBao is one that telemetry.prefix_filter drops; gauges of OpenBao have no rate; a " +
		"time is compared with 1 to 5,000 ms and a share with at most 10; critical alerts fire within 15 minutes; " +
		"some alert fires when no metric is left (a warning). Data sources of a dashboard's panels are " +
		"variables that it has.",
	each: alerting,
}}

func alerting(s *subject, c *Case) []Finding {
	var all []Finding
	for _, o := range c.Objects {
		if o.GVK.Group == "monitoring.coreos.com" && o.GVK.Kind == "PrometheusRule" {
			expressions("spec", o.Tree["spec"], func(path, text string) { all = append(all, query(o, path, text, c)...) })
			all = append(all, s.late(o)...)
		}
		config, ok := o.typed.(*corev1.ConfigMap)
		if !ok {
			continue
		}
		for name, text := range config.Data {
			var tree map[string]any
			if !strings.Contains(text, `"expr"`) || json.Unmarshal([]byte(text), &tree) != nil {
				continue
			}
			path := "data[" + name + "]"
			expressions(path, tree, func(path, text string) { all = append(all, query(o, path, text, c)...) })
			for _, missing := range sources(tree) {
				all = append(all, at(o, path, "panels ask the data source ${"+missing+"}, which is no variable of the dashboard"))
			}
		}
	}
	return all
}

var (
	grafanaInterval = regexp.MustCompile(`\$__(rate_)?(interval|range)`)
	gauge           = regexp.MustCompile(
		`_(core_active|core_unsealed|in_flight_requests|runtime_[a-z_]*(bytes|objects|goroutines))$`)
	perPod = []string{"namespace", "pod", "container"}
)

// query checks one expression.
func query(o *Object, path, text string, c *Case) []Finding {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(grafanaInterval.ReplaceAllString(text, "5m"))
	if err != nil {
		return nil // a variable of a dashboard
	}
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	dropped := droppedMetrics(c)
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			if node.Name != "" && dropped(node.Name) {
				add("asks for %s, which telemetry.prefix_filter drops", node.Name)
			}
			for _, m := range node.LabelMatchers {
				if problem := unmatched(m, c); problem != "" {
					add("%s", problem)
				}
			}
		case *parser.Call:
			if name := metricOf(node); slices.Contains([]string{"rate", "irate", "increase"}, node.Func.Name) &&
				gauge.MatchString(name) {
				add("takes the %s of %s, which is a gauge", node.Func.Name, name)
			}
		case *parser.BinaryExpr:
			if problem := outOfUnit(node); node.Op.IsComparisonOperator() && problem != "" {
				add("%s", problem)
			}
		}
		return nil
	})
	var all []Finding
	for _, problem := range slices.Compact(problems) {
		all = append(all, at(o, path, problem))
	}
	return all
}

// unmatched says that a matcher finds nothing of the release; "" where it does, or is no fixed
// text.
func unmatched(m *labels.Matcher, c *Case) string {
	asked := m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp
	if !asked || !slices.Contains(perPod, m.Name) || m.Value == "" || strings.Contains(m.Value, "$") {
		return ""
	}
	var known []string
	for _, o := range c.Objects {
		p := o.pod()
		if p == nil || len(o.hooks()) > 0 {
			continue
		}
		switch m.Name {
		case "namespace":
			known = append(known, namespace)
		case "container":
			p.containers(func(_ string, container *corev1.Container) { known = append(known, container.Name) })
		case "pod":
			known = append(known, o.Name+map[string]string{"Deployment": "-5d5f9c8b7-x2x7k", "StatefulSet": "-0"}[o.GVK.Kind])
		}
	}
	if len(known) == 0 || slices.ContainsFunc(known, m.Matches) {
		return ""
	}
	return fmt.Sprintf("asks for %s, which fits nothing of the release, such as %s", m, known[0])
}

// metricOf is the first metric that an expression reads.
func metricOf(node parser.Node) (name string) {
	parser.Inspect(node, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok && name == "" {
			name = selector.Name
		}
		return nil
	})
	return name
}

// outOfUnit says that a value is compared with a number that it never has; "" where it may.
func outOfUnit(b *parser.BinaryExpr) string {
	limit, isNumber := b.RHS.(*parser.NumberLiteral)
	if !isNumber || b.Op != parser.GTR && b.Op != parser.GTE {
		return ""
	}
	left := b.LHS
	for {
		inner, ok := left.(*parser.ParenExpr)
		if !ok {
			break
		}
		left = inner.Expr
	}
	selector, quantile := left.(*parser.VectorSelector)
	quantile = quantile && slices.ContainsFunc(selector.LabelMatchers,
		func(m *labels.Matcher) bool { return m.Name == "quantile" })
	quotient, divides := left.(*parser.BinaryExpr)
	divides = divides && quotient.Op == parser.DIV
	mean := divides && strings.HasSuffix(metricOf(quotient.LHS), "_sum") && strings.HasSuffix(metricOf(quotient.RHS),
		"_count")
	switch {
	case (quantile || mean) && metricName.MatchString(metricOf(left)) && (limit.Val < 1 || limit.Val > 5000):
		return fmt.Sprintf("compares %s, in milliseconds, with %v", metricOf(left), limit.Val)
	case divides && !mean && limit.Val > 10:
		return fmt.Sprintf("compares a share of %s with %v, which it never reaches", metricOf(quotient.RHS), limit.Val)
	}
	return ""
}

// droppedMetrics says which metrics the filters of the configuration drop: the longest one
// decides.
func droppedMetrics(c *Case) func(name string) bool {
	type filter struct {
		text string
		keep bool
	}
	var filters []filter
	for _, server := range serverConfigs(c) {
		for _, text := range listed(server.get("telemetry", "prefix_filter")) {
			if len(text) > 1 {
				filters = append(filters, filter{strings.NewReplacer(".", "_", "-", "_").Replace(text[1:]), text[0] == '+'})
			}
		}
	}
	return func(name string) bool {
		longest, keep := -1, true
		for _, f := range filters {
			if strings.HasPrefix(name, f.text) && len(f.text) > longest {
				longest, keep = len(f.text), f.keep
			}
		}
		return !keep
	}
}

// late lists critical alerts that fire late, and says where none fires when all pods are gone.
func (s *subject) late(o *Object) []Finding {
	var all []Finding
	groups, _ := o.field("spec", "groups").([]any)
	for i, group := range groups {
		group, _ := group.(map[string]any)
		list, _ := group["rules"].([]any)
		for j, rule := range list {
			rule, _ := rule.(map[string]any)
			severity, _ := rule["labels"].(map[string]any)
			if wait := seconds(rule["for"]); severity["severity"] == "critical" && wait > 15*time.Minute {
				all = append(all, at(o, fmt.Sprintf("spec.groups[%d].rules[%d].for", i, j),
					fmt.Sprintf("is %s: nobody hears of %v before", wait, rule["alert"])))
			}
		}
	}
	rules, err := alerts.Rules(map[string]string{"rules.yaml": o.Text})
	if err != nil || !slices.ContainsFunc(rules, func(r alerts.Rule) bool { return metricName.MatchString(r.Expr) }) {
		return all
	}
	var nothing alerts.Recording
	outcomes, err := nothing.Evaluate(s.ctx, rules, []time.Time{time.Unix(0, 0)})
	if err == nil && !slices.ContainsFunc(outcomes, func(o alerts.Outcome) bool { return o.Holds }) {
		all = append(all, warnAt(o, "spec.groups",
			"no alert fires when every pod is gone: without a metric an expression has no "+
				"result, but for absent() or \"or vector(0)\"")) // another chart's may
	}
	return all
}

var variable = regexp.MustCompile(`^\$\{?(\w+)\}?$`)

// sources lists the variables that panels name as data source and the dashboard does not have.
func sources(dashboard map[string]any) []string {
	have := map[string]bool{}
	templating, _ := dashboard["templating"].(map[string]any)
	for _, list := range []any{templating["list"], dashboard["__inputs"]} {
		items, _ := list.([]any)
		for _, item := range items {
			item, _ := item.(map[string]any)
			have[fmt.Sprint(item["name"])] = true
		}
	}
	var missing []string
	var walk func(node any)
	walk = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			for key, value := range node {
				if source, isMap := value.(map[string]any); key == "datasource" && isMap {
					value = source["uid"]
				}
				text, _ := value.(string)
				if match := variable.FindStringSubmatch(text); key == "datasource" && match != nil && !have[match[1]] {
					missing = append(missing, match[1])
				}
				walk(node[key])
			}
		case []any:
			for _, item := range node {
				walk(item)
			}
		}
	}
	walk(dashboard)
	slices.Sort(missing)
	return slices.Compact(missing)
}
