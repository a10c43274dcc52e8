package lint

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// policies looks at the pods that NetworkPolicies select: what they need has to be allowed by one.
func policies(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, o := range c.Objects {
		if policy, ok := o.typed.(*networkingv1.NetworkPolicy); ok {
			all = append(all, namedPorts(o, policy, c)...)
		}
		p := o.pod()
		if p == nil {
			continue
		}
		in, out := p.policies(c, networkingv1.PolicyTypeIngress), p.policies(c, networkingv1.PolicyTypeEgress)
		if len(in) > 0 {
			all = append(all, p.unreachable(in, c)...)
		}
		if len(out) > 0 {
			all = append(all, p.cutOff(out, c)...)
		}
	}
	return all
}

// policies lists the policies of a direction that select a pod.
func (p *pod) policies(c *Case, direction networkingv1.PolicyType) []*Object {
	var all []*Object
	for _, o := range c.Objects {
		policy, ok := o.typed.(*networkingv1.NetworkPolicy)
		if !ok || !directions(&policy.Spec)[direction] {
			continue
		}
		if policyOf := len(o.hooks()) == 0 || len(p.object.hooks()) > 0; policyOf && selects(&policy.Spec.PodSelector,
			p.object) {
			all = append(all, o)
		}
	}
	return all
}

// directions are the policy types, as the API server fills them in.
func directions(spec *networkingv1.NetworkPolicySpec) map[networkingv1.PolicyType]bool {
	if len(spec.PolicyTypes) == 0 {
		return map[networkingv1.PolicyType]bool{
			networkingv1.PolicyTypeIngress: true, networkingv1.PolicyTypeEgress: len(spec.Egress) > 0,
		}
	}
	out := map[networkingv1.PolicyType]bool{}
	for _, t := range spec.PolicyTypes {
		out[t] = true
	}
	return out
}

// namedPorts checks that the named ports of a policy's ingress rules exist in the pods that it
// selects, and those of its egress rules in the pods that they lead to.
func namedPorts(o *Object, policy *networkingv1.NetworkPolicy, c *Case) []Finding {
	var all []Finding
	check := func(path string, ports []networkingv1.NetworkPolicyPort, selectors ...*metav1.LabelSelector) {
		for i, port := range ports {
			if port.Port == nil || port.Port.Type != intstr.String {
				continue
			}
			selected, named := false, false
			for _, candidate := range c.Objects {
				if !slices.ContainsFunc(selectors, func(s *metav1.LabelSelector) bool { return selects(s, candidate) }) {
					continue
				}
				selected = true
				candidate.pod().containers(func(_ string, c *corev1.Container) {
					named = named || slices.ContainsFunc(c.Ports,
						func(p corev1.ContainerPort) bool { return p.Name == port.Port.StrVal })
				})
			}
			if selected && !named {
				all = append(all, at(o, fmt.Sprintf("%s.ports[%d].port", path, i),
					fmt.Sprintf("no pod that it is about has a port named %q", port.Port.StrVal)))
			}
		}
	}
	for i, rule := range policy.Spec.Ingress {
		check(fmt.Sprintf("spec.ingress[%d]", i), rule.Ports, &policy.Spec.PodSelector)
	}
	for i, rule := range policy.Spec.Egress {
		var selectors []*metav1.LabelSelector
		for _, peer := range rule.To {
			if peer.PodSelector != nil && peer.NamespaceSelector == nil {
				selectors = append(selectors, peer.PodSelector)
			}
		}
		check(fmt.Sprintf("spec.egress[%d]", i), rule.Ports, selectors...)
	}
	return all
}

// permits says whether a rule's ports hold a port. No ports are all ports.
func permits(ports []networkingv1.NetworkPolicyPort, number int32, name string, protocolOf corev1.Protocol) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		own := corev1.ProtocolTCP
		if p.Protocol != nil {
			own = *p.Protocol
		}
		switch {
		case own != protocol(protocolOf):
			return false
		case p.Port == nil:
			return true
		case p.Port.Type == intstr.String:
			return name != "" && p.Port.StrVal == name
		case p.EndPort != nil:
			return number >= p.Port.IntVal && number <= *p.EndPort
		}
		return p.Port.IntVal == number
	})
}

// unreachable lists the Services whose ports of the pod no policy lets anybody reach.
func (p *pod) unreachable(policies []*Object, c *Case) []Finding {
	var all []Finding
	var declared []corev1.ContainerPort
	p.containers(func(_ string, c *corev1.Container) { declared = append(declared, c.Ports...) })
	for _, o := range c.Objects {
		service, ok := o.typed.(*corev1.Service)
		if !ok || len(service.Spec.Selector) == 0 || len(p.object.hooks()) > 0 ||
			!selects(&metav1.LabelSelector{MatchLabels: service.Spec.Selector}, p.object) {
			continue
		}
		for _, port := range service.Spec.Ports {
			target := port.TargetPort
			if target.Type == intstr.Int && target.IntVal == 0 {
				target = intstr.FromInt32(port.Port)
			}
			number, name := target.IntVal, target.StrVal
			for _, d := range declared {
				if name != "" && d.Name == name || name == "" && d.ContainerPort == number {
					number, name = d.ContainerPort, d.Name
				}
			}
			allowed := slices.ContainsFunc(policies, func(policy *Object) bool {
				return slices.ContainsFunc(policy.typed.(*networkingv1.NetworkPolicy).Spec.Ingress,
					func(rule networkingv1.NetworkPolicyIngressRule) bool {
						return permits(rule.Ports, number, name, port.Protocol)
					})
			})
			if !allowed {
				all = append(all, at(policies[0], "spec.ingress",
					fmt.Sprintf("lets nobody reach port %s of %s, to which %s leads", target.String(), p.object.ID(), o.ID())))
			}
		}
	}
	return all
}

// cutOff lists what a pod needs and no policy lets it reach: names, and the database.
func (p *pod) cutOff(policies []*Object, c *Case) []Finding {
	allowed := func(number int32, protocolOf corev1.Protocol) bool {
		return slices.ContainsFunc(policies, func(policy *Object) bool {
			return slices.ContainsFunc(policy.typed.(*networkingv1.NetworkPolicy).Spec.Egress,
				func(rule networkingv1.NetworkPolicyEgressRule) bool {
					return permits(rule.Ports, number, "", protocolOf)
				})
		})
	}
	var all []Finding
	forbidden := func(what string) {
		all = append(all, at(policies[0], "spec.egress", "does not let "+p.object.ID()+" reach "+what))
	}
	if !allowed(53, corev1.ProtocolUDP) {
		forbidden("the cluster's DNS, UDP port 53")
	}
	server := serverConfig(c)
	if server == nil || !p.mounts(server.object) {
		return all
	}
	if port := databasePort(server); port > 0 && !allowed(port, corev1.ProtocolTCP) {
		forbidden(fmt.Sprintf("the database, TCP port %d", port))
	}
	return all
}

// mounts says whether the pod mounts a ConfigMap or Secret.
func (p *pod) mounts(o *Object) bool {
	return slices.ContainsFunc(p.references(), func(r reference) bool {
		return r.kind == o.GVK.Kind && r.name == o.Name && strings.Contains(r.path, "spec.volumes[")
	})
}

// databasePort is the port of the connection URL; 0 where there is none, or it is a socket.
func databasePort(server *config) int32 {
	text, _ := server.get("storage", "postgresql", "connection_url").(string)
	parsed, err := url.Parse(text)
	if text == "" || err != nil || parsed.Host == "" {
		return 0
	}
	_, port, err := net.SplitHostPort(strings.Split(parsed.Host, ",")[0])
	if err != nil {
		return 5432
	}
	number, _ := strconv.ParseInt(port, 10, 32)
	return int32(number)
}
