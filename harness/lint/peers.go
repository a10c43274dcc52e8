package lint

import (
	"fmt"
	"net"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
)

var peersRules = []Rule{{
	ID: "security/peers", Title: "the cluster port is for pods of the release, the metrics port not for everybody",
	Severity: Error,
	Protects: "The metrics port needs no token, and before OpenBao 2.5.0 serves the whole API; the cluster port takes " +
		"requests that others have authenticated.",
	Hint: "give each port a rule of its own: the cluster port from the pods' own labels, the metrics port from peers",
	Detail: "Looks at the NetworkPolicies for ingress that select OpenBao's pods. Rules that name the cluster port have " +
		"peers that are pods of the namespace only; rules that name the port of a listener for metrics have a peer. " +
		"A rule without ports is left out: wiring/policies says what it has to allow.",
	lenient: true, each: peers,
}}

func peers(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, server := range serverConfigs(c) {
		cluster, metrics := server.clusterPorts(), server.ports(block.forMetrics)
		for _, p := range server.pods(c) {
			for _, o := range p.policies(c, networkingv1.PolicyTypeIngress) {
				for i, rule := range o.typed.(*networkingv1.NetworkPolicy).Spec.Ingress {
					place := fmt.Sprintf("spec.ingress[%d].from", i)
					names := func(ports []int32) bool {
						for _, port := range ports {
							if len(rule.Ports) > 0 && permits(rule.Ports, port, p.portName(port), "TCP") {
								return true
							}
						}
						return false
					}
					if names(metrics) && len(rule.From) == 0 {
						all = append(all, at(o, place, "has no peer: everybody may scrape, and ask whatever else the port serves"))
					}
					if names(cluster) && foreign(rule.From) {
						all = append(all, at(o, place, "lets others than the release's pods reach the cluster port"))
					}
				}
			}
		}
	}
	return all
}

// foreign says whether peers are others than pods of the namespace with some label.
func foreign(peers []networkingv1.NetworkPolicyPeer) bool {
	for _, peer := range peers {
		if peer.NamespaceSelector != nil || peer.IPBlock != nil || peer.PodSelector == nil ||
			len(peer.PodSelector.MatchLabels)+len(peer.PodSelector.MatchExpressions) == 0 {
			return true
		}
	}
	return len(peers) == 0
}

// portName is the name of a port of the pod's containers, "" where it has none.
func (p *pod) portName(number int32) string {
	for _, container := range p.spec.Containers {
		for _, port := range container.Ports {
			if port.ContainerPort == number {
				return port.Name
			}
		}
	}
	return ""
}

// ports are those of the listeners that fit.
func (c *config) ports(fits func(block) bool) (all []int32) {
	c.object.listeners(func(of *config, l block) {
		if of == c && fits(l) {
			all = append(all, portOf(l.get("address"), 8200))
		}
	})
	return all
}

// clusterPorts are the ports at which the configuration's pods hear one another: the next one after
// the API's, where nothing else is said.
func (c *config) clusterPorts() (all []int32) {
	c.object.listeners(func(of *config, l block) {
		if of == c && (!l.forMetrics() || l.get("cluster_address") != "") {
			all = append(all, portOf(l.get("cluster_address"), portOf(l.get("address"), 8200)+1))
		}
	})
	return all
}

func portOf(address string, otherwise int32) int32 {
	_, text, _ := net.SplitHostPort(address)
	if number, err := strconv.ParseInt(text, 10, 32); err == nil {
		return int32(number)
	}
	return otherwise
}
