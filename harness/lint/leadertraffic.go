package lint

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

var leaderTrafficRules = []Rule{{
	ID: "wiring/leader-traffic", Title: "every client reaches the leader, wherever it is", Severity: Error,
	Protects: "There is one leader: a Service that stays on the client's node drops what comes from any other, and " +
		"one that keeps a client at its pod leads it to yesterday's leader.",
	Hint: "leave internalTrafficPolicy and sessionAffinity out",
	Detail: "Looks at Services whose selector has the label openbao-active or vault-active: internalTrafficPolicy " +
		"Local is an error, sessionAffinity a warning. A pod of helm test that names a Service of standbys, and none of " +
		"the leader, is an error. What only a switch causes is a warning.",
	lenient: true, each: leaderTraffic,
}}

// choosesLeader says whether a Service selects by the label that OpenBao gives its leader.
func choosesLeader(service *corev1.Service) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(service.Spec.Selector)),
		func(key string) bool { return strings.HasSuffix(key, "-active") && runtimeLabel(key) })
}

func leaderTraffic(_ *subject, c *Case) []Finding {
	var all []Finding
	leads := map[string]bool{} // by the Service's name, where it selects by the label
	for _, o := range c.Objects {
		service, ok := o.typed.(*corev1.Service)
		if !ok || !choosesLeader(service) {
			continue
		}
		leads[o.Name] = !slices.Contains(slices.Collect(maps.Values(service.Spec.Selector)), "false")
		if policy := service.Spec.InternalTrafficPolicy; policy != nil &&
			*policy == corev1.ServiceInternalTrafficPolicyLocal {
			all = append(all, at(o, "spec.internalTrafficPolicy", "is Local: clients on nodes without the leader reach nothing"))
		}
		if service.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
			all = append(all, warnAt(o, "spec.sessionAffinity", "is ClientIP: a client stays with a pod that leads no more"))
		}
	}
	for _, o := range c.Objects {
		if o.pod() == nil || !slices.Contains(o.hooks(), "test") {
			continue
		}
		text, _ := json.Marshal(o.Tree["spec"])
		leader, standby := false, false
		for _, host := range hostOfURL.FindAllStringSubmatch(string(text), -1) {
			asksLeader, known := leads[host[1]]
			leader, standby = leader || asksLeader, standby || known && !asksLeader
		}
		if standby && !leader {
			all = append(all, at(o, "spec", "asks standbys only, and passes while there is no leader"))
		}
	}
	return all
}

// hostOfURL fits the first part of a host's name.
var hostOfURL = regexp.MustCompile(`https?://([a-z0-9-]+)`)
