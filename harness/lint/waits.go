package lint

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"gitlab.com/steamer/steamer/harness/load"
)

var waitsRules = []Rule{{
	ID: "server/waits", Title: "the kubelet waits for what OpenBao waits for", Severity: Error,
	Protects: "A probe or a deadline that gives up before OpenBao's own back-off ends restarts pods that would have " +
		"come up; one that gives up late leaves a broken pod its traffic.",
	Hint: "give startupProbe and Jobs the back-off of max_connect_retries, livenessProbe a takeover, readinessProbe 30 s",
	Detail: "The back-off of max_connect_retries is up to 5 s an attempt, 80 s for 20. A Job's activeDeadlineSeconds " +
		"that is shorter is an error; a startupProbe that is shorter (or a livenessProbe where none is), a " +
		"livenessProbe that waits 1 s for an answer, and a readinessProbe that needs more than 30 s to fail, are " +
		"warnings. In each tier of sizing.tier the livenessProbe lasts as long as a takeover: 5 s and 11 s per 1,000 " +
		"namespaces.",
	chart: waits,
}}

// A broken pod may have traffic for so long.
const longestReadiness = 30 * time.Second

// waits judges the probes and Jobs of the bases, and the livenessProbe of each tier.
func waits(s *subject) []Finding {
	var all []Finding
	for _, c := range s.bases() {
		for _, o := range c.Objects {
			for _, server := range o.serverConfigs() {
				for _, finding := range server.impatient(c) {
					all = append(all, seen(finding, c))
				}
			}
		}
	}
	if len(s.bases()) == 0 || !s.has("sizing.tier") {
		return all
	}
	for _, tier := range load.Tiers() {
		c := s.probe(map[string]any{
			"sizing.tier": tier.Rate, "sizing.expectedNamespaces": nil, "resources": map[string]any{},
		})
		if c.Err != nil {
			continue // server/tiers
		}
		memory := resource.MustParse(tier.Memory)
		namespaces := memory.Value()/1e6 - 1e3 // GitLab counts 1 GB, and 1 MB a namespace
		takeover := 5*time.Second + time.Duration(namespaces)*11*time.Millisecond
		for _, server := range serverConfigs(c) {
			for _, p := range server.pods(c) {
				container := &p.spec.Containers[0]
				if limit := until(container.LivenessProbe); limit > 0 && limit < takeover {
					all = append(all, seen(at(p.object, p.path+"spec.containers[0].livenessProbe", fmt.Sprintf(
						"gives up after %s in tier %s, whose %d namespaces take %s to load: a takeover is killed on its way", limit,
						tier.Name, namespaces, takeover)), c))
				}
			}
		}
	}
	return all
}

// until is how long a probe fails before it has an effect; 0 for no probe. The delay does not
// count: it is over when a standby takes over.
func until(probe *corev1.Probe) time.Duration {
	if probe == nil {
		return 0
	}
	or := func(value, otherwise int32) time.Duration {
		if value == 0 {
			return time.Duration(otherwise)
		}
		return time.Duration(value)
	}
	return or(probe.PeriodSeconds, 10) * or(probe.FailureThreshold, 3) * time.Second
}

// backoff is how long OpenBao tries to reach its database before it ends.
func (c *config) backoff() time.Duration {
	retries, _ := strconv.Atoi(fmt.Sprint(c.get("storage", "postgresql", "max_connect_retries")))
	total := 0.0
	for i := range retries {
		total += min(0.5*math.Pow(1.5, float64(i)), 5)
	}
	return time.Duration(total) * time.Second
}

// impatient lists what gives up before the configuration's server does, or long after it.
func (c *config) impatient(in *Case) []Finding {
	var all []Finding
	backoff := c.backoff()
	for _, o := range in.Objects {
		job, isJob := o.typed.(*batchv1.Job)
		if isJob && o.pod().mounts(c.object) && job.Spec.ActiveDeadlineSeconds != nil {
			if limit := time.Duration(*job.Spec.ActiveDeadlineSeconds) * time.Second; limit < backoff {
				all = append(all, at(o, "spec.activeDeadlineSeconds", fmt.Sprintf(
					"is %s, less than the %s that OpenBao waits for its database", limit, backoff)))
			}
		}
	}
	for _, p := range c.pods(in) {
		i := slices.IndexFunc(p.spec.Containers,
			func(container corev1.Container) bool { return until(container.ReadinessProbe) > 0 })
		if i < 0 {
			continue // wiring/probes
		}
		container := &p.spec.Containers[i]
		add := func(probe, format string, args ...any) {
			all = append(all, warnAt(p.object, fmt.Sprintf("%sspec.containers[%d].%s", p.path, i, probe),
				fmt.Sprintf(format, args...)))
		}
		name, start := "startupProbe", container.StartupProbe
		if start == nil {
			name, start = "livenessProbe", container.LivenessProbe
		}
		if start != nil {
			if limit := until(start) + time.Duration(start.InitialDelaySeconds)*time.Second; limit < backoff {
				add(name, "restarts a pod after %s, while OpenBao waits up to %s for its database", limit, backoff)
			}
		}
		if live := container.LivenessProbe; live != nil && live.HTTPGet != nil && live.TimeoutSeconds < 2 {
			add("livenessProbe.timeoutSeconds",
				"is 1 s: health answers later while the database is slow, and pods are restarted")
		}
		if limit := until(container.ReadinessProbe); limit > longestReadiness {
			add("readinessProbe", "needs %s to fail: for so long a broken pod has traffic", limit)
		}
	}
	return all
}
