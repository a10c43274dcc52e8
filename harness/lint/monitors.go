package lint

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
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

// scraped checks the endpoints of a monitor: the named port, and of OpenBao's pods what it asks
// there.
func scraped(o *Object, c *Case) []Finding {
	field, isPods := "endpoints", o.GVK.Kind == "PodMonitor"
	if isPods {
		field = "podMetricsEndpoints"
	}
	selector := labelSelector(o.field("spec", "selector"))
	if selector == nil {
		return nil
	}
	named, selected := map[string][]block{}, false // listeners of OpenBao by the port's name
	for _, candidate := range c.Objects {
		if service, ok := candidate.typed.(*corev1.Service); ok && !isPods {
			if matched, err := matches(selector, candidate.labels, false); err != nil || !matched {
				continue
			}
			selected = true
			for _, port := range service.Spec.Ports {
				named[port.Name] = append(named[port.Name], behind(service, port, c)...)
			}
		}
		if isPods && len(candidate.hooks()) == 0 && selects(selector, candidate) {
			selected = true
			candidate.pod().containers(func(_ string, container *corev1.Container) {
				for _, port := range container.Ports {
					named[port.Name] = append(named[port.Name], listenersAt(candidate.pod(), port.ContainerPort, c)...)
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
		port, _ := endpoint["port"].(string)
		place := fmt.Sprintf("spec.%s[%d]", field, i)
		found, exists := named[port]
		if port != "" && !exists {
			all = append(all, at(o, place+".port", fmt.Sprintf("nothing that it selects has a port named %q", port)))
		}
		for _, l := range found {
			all = append(all, l.scrapedBy(o, place, endpoint)...)
		}
	}
	return all
}

// behind lists the listeners to which a port of a Service leads.
func behind(service *corev1.Service, port corev1.ServicePort, c *Case) []block {
	var all []block
	for _, o := range c.Objects {
		p := o.pod()
		if p == nil || !selects(&metav1.LabelSelector{MatchLabels: service.Spec.Selector}, o) {
			continue
		}
		number := cmp.Or(port.TargetPort.IntVal, port.Port)
		p.containers(func(_ string, container *corev1.Container) {
			for _, declared := range container.Ports {
				if port.TargetPort.StrVal != "" && declared.Name == port.TargetPort.StrVal {
					number = declared.ContainerPort
				}
			}
		})
		all = append(all, listenersAt(p, number, c)...)
	}
	return all
}

// listenersAt lists the listeners of OpenBao at a port of a pod.
func listenersAt(p *pod, port int32, c *Case) []block {
	var all []block
	for _, o := range c.Objects {
		o.listeners(func(_ *config, l block) {
			_, number, _ := net.SplitHostPort(cmp.Or(l.get("address"), "127.0.0.1:8200"))
			if number == fmt.Sprint(port) && p.mounts(o) {
				all = append(all, l)
			}
		})
	}
	return all
}

// scrapedBy checks what an endpoint of a monitor asks a listener.
func (l block) scrapedBy(o *Object, place string, endpoint map[string]any) []Finding {
	var all []Finding
	text := func(key, otherwise string) string {
		value, _ := endpoint[key].(string)
		return cmp.Or(value, otherwise)
	}
	if path := text("path", "/metrics"); path != "/v1/sys/metrics" {
		all = append(all, at(o, place+".path", "is "+path+"; OpenBao's metrics are at /v1/sys/metrics"))
	}
	wanted := "https"
	if l.on("tls_disable") {
		wanted = "http"
	}
	if scheme := strings.ToLower(text("scheme", "http")); scheme != wanted {
		all = append(all, at(o, place+".scheme", "is "+scheme+", but the listener speaks "+wanted))
	}
	for _, key := range []string{"authorization", "bearerTokenSecret", "bearerTokenFile", "basicAuth", "oauth2"} {
		if endpoint[key] != nil {
			return all
		}
	}
	if !l.forMetrics() {
		// values may give one
		all = append(all, warnAt(o, place, "sends no token, and the listener answers metrics to nobody without one"))
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
			own, found := strings.CutPrefix(name, prefix+"_")
			switch {
			case !found:
				all = append(all, at(o, path, "asks for "+name+", but every metric begins with "+prefix+"_"))
				return
			case !isServed(own):
				all = append(all, warnAt(o, path, "asks for "+name+", which OpenBao did not serve when its metrics were recorded"))
			}
		}
	})
	return all
}

// recorded are the names of OpenBao's metrics without their prefix, from scrapes.
//
//go:embed metrics/openbao.txt
var recorded string

var recordedNames = sync.OnceValue(func() sets.Set[string] {
	names := sets.New[string]()
	for line := range strings.Lines(recorded) {
		if !strings.HasPrefix(line, "#") {
			names.Insert(strings.TrimSpace(line))
		}
	}
	return names
})

var (
	// perMount fits metrics whose names hold a mount's or an audit device's.
	perMount = regexp.MustCompile(`^(route|rollback)_|^audit_.*_log_(request|response)`)
	// part fits what Prometheus adds to the name of a summary.
	part = regexp.MustCompile(`_(count|sum|bucket)$`)
)

// isServed says whether OpenBao serves a metric, whose name has no prefix.
func isServed(name string) bool {
	known := recordedNames()
	return known.Has(name) || known.Has(part.ReplaceAllString(name, "")) || perMount.MatchString(name)
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
