package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func ports(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, o := range c.Objects {
		switch typed := o.typed.(type) {
		case *corev1.Service:
			all = append(all, targets(o, typed, c)...)
		case *networkingv1.Ingress:
			all = append(all, ingress(o, typed, c)...)
		}
		if strings.HasSuffix(o.GVK.Kind, "Route") && o.GVK.Group == "gateway.networking.k8s.io" {
			all = append(all, route(o, c)...)
		}
		if p := o.pod(); p != nil {
			p.containers(func(path string, c *corev1.Container) { all = append(all, probes(o, path, c)...) })
		}
	}
	return all
}

// probes checks the named ports of a container's probes and lifecycle hooks.
func probes(o *Object, path string, c *corev1.Container) []Finding {
	var all []Finding
	look := func(where string, port intstr.IntOrString) {
		named := slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.StrVal })
		if port.Type == intstr.String && !named {
			all = append(all, at(o, path+"."+where+".port", fmt.Sprintf("container %s has no port named %q", c.Name,
				port.StrVal)))
		}
	}
	handlers(c, func(where string, h handler) {
		if h.http != nil {
			look(where+".httpGet", h.http.Port)
		}
		if h.tcp != nil {
			look(where+".tcpSocket", h.tcp.Port)
		}
	})
	return all
}

// handler is what a probe or a lifecycle hook does; all but one are nil.
type handler struct {
	http *corev1.HTTPGetAction
	tcp  *corev1.TCPSocketAction
	exec *corev1.ExecAction
	grpc *corev1.GRPCAction
}

// handlers visits the probes and lifecycle hooks of a container with their place in it.
func handlers(c *corev1.Container, visit func(where string, h handler)) {
	for _, probe := range []struct {
		where string
		probe *corev1.Probe
	}{{"startupProbe", c.StartupProbe}, {"livenessProbe", c.LivenessProbe}, {"readinessProbe", c.ReadinessProbe}} {
		if p := probe.probe; p != nil {
			visit(probe.where, handler{p.HTTPGet, p.TCPSocket, p.Exec, p.GRPC})
		}
	}
	if c.Lifecycle == nil {
		return
	}
	if h := c.Lifecycle.PreStop; h != nil {
		visit("lifecycle.preStop", handler{http: h.HTTPGet, tcp: h.TCPSocket, exec: h.Exec})
	}
	if h := c.Lifecycle.PostStart; h != nil {
		visit("lifecycle.postStart", handler{http: h.HTTPGet, tcp: h.TCPSocket, exec: h.Exec})
	}
}

// targets checks that a Service's target ports are declared by the pods that it selects.
func targets(o *Object, service *corev1.Service, c *Case) []Finding {
	if len(service.Spec.Selector) == 0 {
		return nil
	}
	var declared []corev1.ContainerPort
	selected := false
	for _, candidate := range c.Objects {
		p := candidate.pod()
		if p == nil || len(candidate.hooks()) > 0 {
			continue
		}
		if matched, err := matches(&metav1.LabelSelector{MatchLabels: service.Spec.Selector}, p.meta.Labels,
			false); err == nil && matched {
			selected = true
			p.containers(func(_ string, c *corev1.Container) { declared = append(declared, c.Ports...) })
		}
	}
	if !selected {
		return nil // wiring/selectors
	}
	var all []Finding
	for i, port := range service.Spec.Ports {
		target := port.TargetPort
		if target.Type == intstr.Int && target.IntVal == 0 {
			target = intstr.FromInt32(port.Port)
		}
		if slices.ContainsFunc(declared, func(p corev1.ContainerPort) bool {
			return target.Type == intstr.String && p.Name == target.StrVal || target.Type == intstr.Int &&
				p.ContainerPort == target.IntVal
		}) {
			continue
		}
		finding := at(o, fmt.Sprintf("spec.ports[%d].targetPort", i), "no container of the selected pods declares port "+
			target.String())
		if target.Type == intstr.Int {
			finding.Severity = Warning // it works all the same when something listens there
		}
		all = append(all, finding)
	}
	return all
}

// backend checks that a Service with the port is rendered; number or name, whichever is not empty.
func backend(o *Object, c *Case, path, service string, number int32, name string) []Finding {
	for _, candidate := range c.Objects {
		typed, ok := candidate.typed.(*corev1.Service)
		if !ok || candidate.Name != service {
			continue
		}
		if slices.ContainsFunc(typed.Spec.Ports, func(p corev1.ServicePort) bool {
			return name != "" && p.Name == name || name == "" && p.Port == number
		}) {
			return nil
		}
		return []Finding{at(o, path, fmt.Sprintf("Service/%s has no port %s", service, cmp.Or(name, fmt.Sprint(number))))}
	}
	return []Finding{at(o, path, "leads to Service/"+service+", which is not rendered")}
}

func ingress(o *Object, ingress *networkingv1.Ingress, c *Case) []Finding {
	var all []Finding
	look := func(path string, b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			all = append(all, backend(o, c, path, b.Service.Name, b.Service.Port.Number, b.Service.Port.Name)...)
		}
	}
	look("spec.defaultBackend", ingress.Spec.DefaultBackend)
	for i, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for j := range rule.HTTP.Paths {
			look(fmt.Sprintf("spec.rules[%d].http.paths[%d].backend", i, j), &rule.HTTP.Paths[j].Backend)
		}
	}
	return all
}

// route checks the backends of a Gateway API route, whose types are not Kubernetes' own.
func route(o *Object, c *Case) []Finding {
	var all []Finding
	spec, _ := o.Tree["spec"].(map[string]any)
	rules, _ := spec["rules"].([]any)
	for i, rule := range rules {
		rule, _ := rule.(map[string]any)
		refs, _ := rule["backendRefs"].([]any)
		for j, ref := range refs {
			ref, _ := ref.(map[string]any)
			kind, _ := ref["kind"].(string)
			name, _ := ref["name"].(string)
			port, _ := ref["port"].(float64)
			if kind == "" || kind == "Service" {
				all = append(all, backend(o, c, fmt.Sprintf("spec.rules[%d].backendRefs[%d]", i, j), name, int32(port), "")...)
			}
		}
	}
	return all
}
