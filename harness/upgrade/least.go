package upgrade

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"gitlab.com/steamer/steamer/harness/judge"
)

// serves reports whether a workload's pods are those of the server.
func (c *comparison) serves(workload object) bool {
	selector, err := labels.Parse(c.dialect.Selector)
	template := workload.template()
	return err == nil && template != nil && selector.Matches(template.labels())
}

// unready notes the least time for which no pod can be behind the active Service while the
// server's only workload is replaced: with strategy Recreate every old pod ends before a new one
// starts, and the new one's probes begin late.
func (c *comparison) unready(after object) {
	for _, o := range c.to {
		if c.serves(o) && o.key() != after.key() {
			return // its pods may go on
		}
	}
	if after.strategy() != "Recreate" {
		return
	}
	active := c.find(c.to, "Service", c.dialect.ActiveService)
	if active == nil || active.at("spec", "publishNotReadyAddresses") == true {
		return
	}
	var pod corev1.PodTemplateSpec
	if runtime.DefaultUnstructuredConverter.FromUnstructured(after.template(), &pod) != nil {
		return // the API server will say so
	}
	if least := firstReady(pod.Spec); least > 0 {
		c.out.LeastOutage = least
		c.out.add(ruleOutage, Note, after.id(),
			"no fetch can work for %.0f s: with strategy Recreate the old pods end first, "+
				"and the probes keep a new one out of Service %s for as long", least, c.dialect.ActiveService)
	}
}

// defaultPeriod is a probe's periodSeconds where none is given.
const defaultPeriod = 10

// firstReady is how long after its start a pod is ready at the earliest, by its probes, in
// seconds.
func firstReady(spec corev1.PodSpec) float64 {
	var last float64
	for _, container := range spec.Containers {
		var ready float64
		if p := container.StartupProbe; p != nil {
			ready = float64(p.InitialDelaySeconds)
		}
		if p := container.ReadinessProbe; p != nil {
			ready = max(ready, float64(p.InitialDelaySeconds)) +
				float64(max(p.SuccessThreshold, 1)-1)*float64(cmp.Or(p.PeriodSeconds, defaultPeriod))
		}
		last = max(last, ready-1) // the kubelet counts from the second in which the container started
	}
	return last
}

// judge makes an error of an outage that the chart itself causes and that misses its budget.
func (s Setting) judge(e Edge, p *Prediction) {
	budget, ok := judge.OutageFor(s.Outages, e.change(), p.Strategy, e.To.Chart.Info().Version, tag(e.To.Image))
	budget = budget.With(s.Namespaces)
	if !ok || p.LeastOutage <= budget.Longest {
		return
	}
	for i := range p.Findings {
		if f := &p.Findings[i]; f.Rule == ruleOutage {
			f.Severity = Error
			f.Text += fmt.Sprintf("; the %s is %.1f s", budget, budget.Longest)
		}
	}
}
