package lint

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

var routesRules = []Rule{{
	ID: "wiring/routes", Title: "what is in front of OpenBao passes its whole API on", Severity: Error,
	Protects: "An Ingress or a route for some paths, another host's certificate or another scheme refuses what comes " +
		"from outside, while everything inside works.",
	Hint: "use path / with pathType Prefix, one value for both hosts, and backend-protocol HTTPS with TLS listeners",
	Detail: "Of Ingresses and HTTPRoutes whose back ends are OpenBao's Services: some path has to lead all below /v1/ " +
		"there (/, /v1 or /v1/, not Exact); hosts of rules have to be in tls, where there is one; ingress-nginx's " +
		"backend-protocol is HTTPS exactly where the listener has TLS.",
	lenient: true, each: routes,
}}

func routes(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, o := range c.Objects {
		if typed, ok := o.typed.(*networkingv1.Ingress); ok {
			all = append(all, entrance(o, typed, c)...)
		}
		if o.GVK.Kind != "HTTPRoute" {
			continue
		}
		rules, _ := o.field("spec", "rules").([]any)
		ours, whole := false, false
		for _, rule := range rules {
			rule, _ := rule.(map[string]any)
			backends, _ := rule["backendRefs"].([]any)
			for _, backend := range backends {
				backend, _ := backend.(map[string]any)
				port, _ := backend["port"].(float64)
				if len(listenersOf(fmt.Sprint(backend["name"]), int32(port), "", c)) > 0 {
					ours = true
					whole = whole || matchesAPI(rule["matches"])
				}
			}
		}
		if ours && !whole {
			all = append(all, at(o, "spec.rules", "leads not all of OpenBao's API, /v1/, to it"))
		}
	}
	return all
}

// matchesAPI says whether a route's matches let the whole API through; none let everything.
func matchesAPI(node any) bool {
	list, _ := node.([]any)
	return len(list) == 0 || slices.ContainsFunc(list, func(match any) bool {
		tree, _ := match.(map[string]any)
		path, _ := tree["path"].(map[string]any)
		kind, _ := path["type"].(string)
		value, _ := path["value"].(string)
		return path == nil || kind != "Exact" && wholeAPI(value) || kind == "RegularExpression"
	})
}

func wholeAPI(path string) bool {
	return slices.Contains([]string{"", "/", "/v1", "/v1/"}, path)
}

// listenersOf lists OpenBao's listeners behind a port, by number or name, of a Service.
func listenersOf(service string, number int32, name string, c *Case) []block {
	for _, o := range c.Objects {
		typed, ok := o.typed.(*corev1.Service)
		if !ok || o.Name != service {
			continue
		}
		for _, port := range typed.Spec.Ports {
			if name != "" && port.Name == name || name == "" && port.Port == number {
				return behind(typed, port, c)
			}
		}
	}
	return nil
}

// entrance checks an Ingress that leads to OpenBao.
func entrance(o *Object, ingress *networkingv1.Ingress, c *Case) []Finding {
	var all []Finding
	var hosts []string
	for _, tls := range ingress.Spec.TLS {
		hosts = append(hosts, tls.Hosts...)
	}
	for i, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		place := fmt.Sprintf("spec.rules[%d]", i)
		var listeners []block
		whole := false
		for _, path := range rule.HTTP.Paths {
			if path.Backend.Service == nil {
				continue
			}
			found := listenersOf(path.Backend.Service.Name, path.Backend.Service.Port.Number, path.Backend.Service.Port.Name, c)
			listeners = append(listeners, found...)
			exact := path.PathType != nil && *path.PathType == networkingv1.PathTypeExact
			whole = whole || len(found) > 0 && !exact && wholeAPI(path.Path)
		}
		if len(listeners) == 0 {
			continue
		}
		if !whole {
			all = append(all, at(o, place+".http.paths", "leads not all of OpenBao's API, /v1/, to it"))
		}
		if len(hosts) > 0 && !slices.ContainsFunc(hosts, func(host string) bool { return covers(host, rule.Host) }) {
			all = append(all, at(o, place+".host", fmt.Sprintf("is %q, which is not among the hosts of tls, %s", rule.Host,
				strings.Join(hosts, ", "))))
		}
		all = append(all, protocolOf(o, listeners[0])...)
	}
	return all
}

func covers(pattern, host string) bool {
	_, domain, _ := strings.Cut(host, ".")
	return pattern == host || pattern == "*."+domain
}

// protocolOf compares what ingress-nginx speaks to its back end with the listener.
func protocolOf(o *Object, l block) []Finding {
	const note = "nginx.ingress.kubernetes.io/backend-protocol"
	spoken, set := o.notes[note]
	if encrypted := strings.HasSuffix(strings.ToUpper(spoken), "S"); set && encrypted == l.on("tls_disable") {
		return []Finding{at(o, "metadata.annotations["+note+"]", fmt.Sprintf("is %s, but the listener has TLS %s", spoken,
			map[bool]string{true: "off", false: "on"}[l.on("tls_disable")]))}
	}
	return nil
}
