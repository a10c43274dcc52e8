package lint

import (
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var standbyRules = []Rule{{
	ID: "server/standby", Title: "several pods share a lock, and a lock has several pods", Severity: Error,
	Protects: "Two pods without high availability both write to the database; a single pod with it makes every " +
		"restart an outage.",
	Hint: "turn ha_enabled and a second pod on together",
	Detail: "Compares ha_enabled of PostgreSQL storage with the number of pods, the fewest that a " +
		"HorizontalPodAutoscaler leaves. High availability that only a switch turns off is the user's choice; an " +
		"autoscaler that only a switch turns on and that leaves one pod is a warning. A rolling upgrade of a Deployment " +
		"may not stop all pods.",
	lenient: true, each: standbys,
}}

// stopsAll finds a rolling upgrade that may stop every pod at once.
func (p *pod) stopsAll(pods int) []Finding {
	deployment, ok := p.object.typed.(*appsv1.Deployment)
	if !ok || pods < 2 || deployment.Spec.Strategy.RollingUpdate == nil {
		return nil
	}
	stopped, err := intstr.GetScaledValueFromIntOrPercent(deployment.Spec.Strategy.RollingUpdate.MaxUnavailable, pods,
		false)
	if err != nil || stopped < pods {
		return nil
	}
	return []Finding{at(p.object, "spec.strategy.rollingUpdate.maxUnavailable", fmt.Sprintf(
		"stops %d of %d pods at once, as Recreate does", stopped, pods))}
}

// standbys looks for pods that do not stand by.
func standbys(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, server := range serverConfigs(c) {
		storage, _ := server.get("storage", "postgresql").(map[string]any)
		if storage == nil {
			continue
		}
		shared, _ := strconv.ParseBool(fmt.Sprint(storage["ha_enabled"]))
		for _, p := range server.pods(c) {
			n, counted := replicas(p.object, c)
			switch {
			case !counted:
			case n > 1 && !shared && c.Kind == Base:
				all = append(all, at(server.object, server.path+".storage.postgresql.ha_enabled", fmt.Sprintf(
					"is not true, and there are %d pods of %s, which all write to the database", n, p.object.ID())))
			case n == 1 && shared:
				all = append(all, at(p.object, "spec.replicas",
					"leaves one pod: with ha_enabled a second one takes over, without one every restart is an outage"))
			}
			all = append(all, p.stopsAll(n)...)
		}
	}
	return all
}
