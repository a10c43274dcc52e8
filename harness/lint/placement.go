package lint

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

var placementRules = []Rule{{
	ID: "wiring/placement", Title: "pods are spread over what nodes are labelled with", Severity: Error,
	Protects: "Over a label that no node has, a rule that prefers has no effect and one that insists leaves pods " +
		"pending: both pods end on one node, and its loss is an outage.",
	Hint: "use kubernetes.io/hostname or topology.kubernetes.io/zone",
	Detail: "Reads topologyKey of affinities and spread constraints. Keys of kubernetes.io and k8s.io that nodes do " +
		"not have, and the names of old versions, are errors; keys of others are the cluster's own.",
	object: placementKeys,
}}

// nodeLabels are what Kubernetes and its cloud providers put on nodes.
var nodeLabels = []string{
	corev1.LabelHostname, corev1.LabelTopologyZone, corev1.LabelTopologyRegion, corev1.LabelInstanceTypeStable,
	corev1.LabelOSStable, corev1.LabelArchStable,
}

func placementKeys(_ *subject, o *Object) []Finding {
	p := o.pod()
	if p == nil {
		return nil
	}
	var all []Finding
	check := func(path, key string) {
		domain, _, _ := strings.Cut(key, "/")
		kubernetes := domain == "kubernetes.io" || strings.HasSuffix(domain, ".kubernetes.io") || strings.HasSuffix(domain,
			"k8s.io")
		if kubernetes && !strings.HasPrefix(domain, "node") && !slices.Contains(nodeLabels, key) ||
			!strings.Contains(key, "/") {
			all = append(all, at(o, p.path+"spec."+path+".topologyKey", fmt.Sprintf("is %q, a label that no node has", key)))
		}
	}
	for i, constraint := range p.spec.TopologySpreadConstraints {
		check(fmt.Sprintf("topologySpreadConstraints[%d]", i), constraint.TopologyKey)
	}
	p.affinities(func(path, _ string, term *corev1.PodAffinityTerm) { check(path, term.TopologyKey) })
	return all
}
