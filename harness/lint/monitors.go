package lint

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// monitors checks that monitors scrape ports that exist, and that alerts and dashboards ask for
// metrics that OpenBao has under the configured prefix.
func monitors(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, o := range c.Objects {
		switch {
		case o.GVK.Group == "monitoring.coreos.com" && (o.GVK.Kind == "PodMonitor" || o.GVK.Kind == "ServiceMonitor"):
			all = append(all, scraped(o, c)...)
		case o.GVK.Group == "monitoring.coreos.com" && o.GVK.Kind == "PrometheusRule":
			all = append(all, metrics(o, "spec", o.Tree["spec"], c)...)
		}
		if config, ok := o.typed.(*corev1.ConfigMap); ok {
			for name, text := range config.Data {
				var tree any
				if strings.HasSuffix(name, ".json") && strings.Contains(text, `"expr"`) && json.Unmarshal([]byte(text),
					&tree) == nil {
					all = append(all, metrics(o, "data["+name+"]", tree, c)...)
				}
			}
		}
	}
	return all
}

// scraped checks the named ports of a monitor's endpoints.
func scraped(o *Object, c *Case) []Finding {
	field, isPods := "endpoints", o.GVK.Kind == "PodMonitor"
	if isPods {
		field = "podMetricsEndpoints"
	}
	selector := labelSelector(o.field("spec", "selector"))
	if selector == nil {
		return nil
	}
	names, selected := []string{}, false
	for _, candidate := range c.Objects {
		if service, ok := candidate.typed.(*corev1.Service); ok && !isPods {
			if matched, err := matches(selector, candidate.labels, false); err != nil || !matched {
				continue
			}
			selected = true
			for _, port := range service.Spec.Ports {
				names = append(names, port.Name)
			}
		}
		if isPods && len(candidate.hooks()) == 0 && selects(selector, candidate) {
			selected = true
			candidate.pod().containers(func(_ string, c *corev1.Container) {
				for _, port := range c.Ports {
					names = append(names, port.Name)
				}
			})
		}
	}
	if !selected {
		return nil // wiring/selectors
	}
	var all []Finding
	endpoints, _ := o.field("spec", field).([]any)
	for i, endpoint := range endpoints {
		endpoint, _ := endpoint.(map[string]any)
		if port, _ := endpoint["port"].(string); port != "" && !slices.Contains(names, port) {
			all = append(all, at(o, fmt.Sprintf("spec.%s[%d].port", field, i),
				fmt.Sprintf("nothing that it selects has a port named %q", port)))
		}
	}
	return all
}

var (
	quoted     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`)
	metricName = regexp.MustCompile(`\b(?:openbao|vault|bao)_[a-z0-9_]+`)
)

// metrics checks the names of OpenBao's metrics in the expressions of alerts and dashboards.
func metrics(o *Object, path string, node any, c *Case) []Finding {
	prefix := ""
	for _, server := range serverConfigs(c) {
		if telemetry, ok := server.get("telemetry").(map[string]any); ok {
			if prefix, _ = telemetry["metrics_prefix"].(string); prefix == "" {
				prefix = "vault" // OpenBao's default
			}
		}
	}
	if prefix == "" {
		return nil
	}
	var all []Finding
	expressions(path, node, func(path, expression string) {
		for _, name := range metricName.FindAllString(quoted.ReplaceAllString(expression, ""), -1) {
			if !strings.HasPrefix(name, prefix+"_") {
				all = append(all, at(o, path, "asks for "+name+", but every metric begins with "+prefix+"_"))
				return
			}
		}
	})
	return all
}

// expressions visits every field named expr.
func expressions(path string, node any, visit func(path, expression string)) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			text, isText := value.(string)
			if key == "expr" && isText {
				visit(path+".expr", text)
				continue
			}
			expressions(path+"."+key, value, visit)
		}
	case []any:
		for i, value := range node {
			expressions(fmt.Sprintf("%s[%d]", path, i), value, visit)
		}
	}
}
