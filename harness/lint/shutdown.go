package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
)

// What Kubernetes gives a pod to end, and what OpenBao needs for it after its preStop hook: it
// finishes requests, gives up the lock and closes its connections.
const defaultGrace, leastGrace = 30, 5

// sleeping is a command that waits, with its seconds.
var sleeping = regexp.MustCompile(`(?:^|[\s;&/])sleep\s+(\d+)`)

// shutdown checks that a pod's grace period covers what it does when it ends.
func shutdown(_ *subject, c *Case) []Finding {
	var all []Finding
	servers := sets.New[*Object]()
	for _, server := range serverConfigs(c) {
		for _, p := range server.pods(c) {
			servers.Insert(p.object)
		}
	}
	for _, o := range c.Objects {
		p := o.pod()
		if p == nil || p.selector == nil || len(o.hooks()) > 0 {
			continue
		}
		grace, asleep := int64(defaultGrace), int64(0)
		if p.spec.TerminationGracePeriodSeconds != nil {
			grace = *p.spec.TerminationGracePeriodSeconds
		}
		p.containers(func(_ string, container *corev1.Container) { asleep = max(asleep, preStop(container)) })
		switch left := grace - asleep; {
		case asleep > 0 && left <= 0:
			all = append(all, at(o, p.path+"spec.terminationGracePeriodSeconds",
				fmt.Sprintf("is %d s, all of which the preStop hook sleeps: the pod is killed", grace)))
		case servers.Has(o) && left < leastGrace:
			all = append(all, at(o, p.path+"spec.terminationGracePeriodSeconds", fmt.Sprintf(
				"leaves OpenBao %d s to finish requests and to give up the lock, else the standby waits until it expires", left)))
		}
	}
	return all
}

// preStop is how many seconds a container's hook sleeps.
func preStop(c *corev1.Container) int64 {
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil {
		return 0
	}
	hook := c.Lifecycle.PreStop
	if hook.Sleep != nil {
		return hook.Sleep.Seconds
	}
	if hook.Exec == nil {
		return 0
	}
	total := int64(0)
	for _, match := range sleeping.FindAllStringSubmatch(strings.Join(hook.Exec.Command, " "), -1) {
		seconds, _ := strconv.ParseInt(match[1], 10, 64)
		total += seconds
	}
	return total
}

// tests looks for tests of helm test that cannot fail, or never end.
func tests(_ *subject, o *Object) []Finding {
	p := o.pod()
	if p == nil || !slices.ContainsFunc(o.hooks(), func(hook string) bool { return strings.HasPrefix(hook, "test") }) {
		return nil
	}
	var all []Finding
	if o.GVK.Kind == "Pod" && p.spec.RestartPolicy != corev1.RestartPolicyNever {
		finding := at(o, "spec.restartPolicy", "is not Never: a test that fails is tried again until helm test gives up")
		finding.Hint = "set restartPolicy: Never"
		all = append(all, finding)
	}
	var reasons []string
	for i := range p.spec.Containers {
		c := &p.spec.Containers[i]
		reason := passing(slices.Concat(c.Command, c.Args))
		if reason == "" {
			return all // one container that can fail is enough
		}
		reasons = append(reasons, reason)
	}
	return append(all, at(o, p.path+"spec.containers", "cannot fail: "+strings.Join(reasons, "; ")))
}

// passing says why a command succeeds whatever it finds; "" where it may fail, or is the image's.
func passing(command []string) string {
	if len(command) == 0 {
		return ""
	}
	script := strings.Join(command, " ")
	if len(command) > 1 && strings.HasPrefix(command[len(command)-2], "-") { // a shell's
		script = strings.Join(strings.Split(strings.TrimSpace(command[len(command)-1]), "\n"), "; ")
	}
	if stops.MatchString(script) {
		return ""
	}
	last := strings.TrimSpace(script[strings.LastIndex(script, ";")+1:])
	switch {
	case cannotFail.MatchString(script):
		return "its last command always succeeds"
	case piped.MatchString(last) && !strings.Contains(script, "pipefail"):
		return "the end of its pipe always succeeds"
	case strings.HasPrefix(last, "curl ") && !strings.ContainsAny(last, "|&") && !refusing.MatchString(last):
		return "curl without --fail succeeds with every HTTP status"
	}
	return ""
}

var (
	// piped fits a pipe whose end takes whatever comes.
	piped = regexp.MustCompile(`[^|]\|\s*(tee|cat|head|tail|sort|sed|tr|wc)\b[^|&]*$`)
	// refusing fits the options with which curl fails for a status of 400 and more.
	refusing = regexp.MustCompile(`\s(--fail\S*|-[a-zA-Z]*f[a-zA-Z]*)(\s|$)`)
	// stops fits what may end a script, or keep it from ending, before its last command.
	stops = regexp.MustCompile(`(^|[\s;&|])(exit\s+[1-9$]|set\s+-[a-z]*e|until|while)\b`)
)
