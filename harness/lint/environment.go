package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// variableReference is $(NAME) as Kubernetes expands it, with the dollars in front: an even number
// of them escapes it.
var variableReference = regexp.MustCompile(`(\$+)\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)`)

// serviceVariable is a variable that the kubelet makes from a Service.
var serviceVariable = regexp.MustCompile(
	`^[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// expanded lists the variables that Kubernetes expands in a text.
func expanded(text string) []string {
	var all []string
	for _, match := range variableReference.FindAllStringSubmatch(text, -1) {
		if len(match[1])%2 == 1 {
			all = append(all, match[2])
		}
	}
	return all
}

// environmentOrder finds references to variables that Kubernetes does not know yet when it expands
// them.
func environmentOrder(_ *subject, o *Object) []Finding {
	p := o.pod()
	if p == nil {
		return nil
	}
	var all []Finding
	p.containers(func(path string, c *corev1.Container) {
		for i, variable := range c.Env {
			for _, name := range expanded(variable.Value) {
				isNamed := func(v corev1.EnvVar) bool { return v.Name == name }
				place := fmt.Sprintf("%s.env[%d].value", path, i)
				switch {
				case slices.ContainsFunc(c.Env[:i], isNamed) || serviceVariable.MatchString(name):
				case len(c.EnvFrom) > 0 && !slices.ContainsFunc(c.Env, isNamed): // may come from there
				case slices.ContainsFunc(c.Env[i:], isNamed):
					all = append(all, at(o, place, "refers to $("+name+"), which is defined later in the container"))
				default:
					all = append(all, at(o, place, "refers to $("+name+"), which the container does not define"))
				}
			}
		}
	})
	return all
}

// bareAddress is a variable as the host of a URL, without brackets.
var bareAddress = regexp.MustCompile(
	`://(?:[^\s/@"']*@)?(?:\$\(([A-Za-z_][A-Za-z0-9_]*)\)|\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?)`)

// bareAddresses finds URLs whose host is an address of the pod or its node without brackets.
// A chart that has brackets in another case, such as with a value that chooses IPv6, is not to
// blame.
func bareAddresses(s *subject, o *Object) []Finding {
	p := o.pod()
	if p == nil {
		return nil
	}
	var all []Finding
	p.containers(func(path string, c *corev1.Container) {
		fields := map[string]string{}
		for _, variable := range c.Env {
			if from := variable.ValueFrom; from != nil && from.FieldRef != nil {
				fields[variable.Name] = from.FieldRef.FieldPath
			}
		}
		check := func(place, text string) {
			for _, match := range bareAddress.FindAllStringSubmatch(text, -1) {
				name := match[1] + match[2]
				if field := fields[name]; field == "status.podIP" || field == "status.hostIP" {
					if s.anyRender(o.File, "[$("+name+")]", "[${"+name+"}]", "[$"+name+"]") {
						continue
					}
					all = append(all, at(o, place, "has "+name+" ("+field+") as the host of a URL without brackets"))
				}
			}
		}
		for i, variable := range c.Env {
			check(fmt.Sprintf("%s.env[%d].value", path, i), variable.Value)
		}
		for i, text := range c.Command {
			check(fmt.Sprintf("%s.command[%d]", path, i), text)
		}
		for i, text := range c.Args {
			check(fmt.Sprintf("%s.args[%d]", path, i), text)
		}
	})
	return all
}

// anyRender says whether any case renders one of the texts from a template.
func (s *subject) anyRender(file string, texts ...string) bool {
	for _, c := range s.rendered() {
		for _, o := range c.Objects {
			if o.File == file && slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(o.Text, text) }) {
				return true
			}
		}
	}
	return false
}

// unreadyLeader finds Services that choose the leader and still publish pods that are not ready.
func unreadyLeader(_ *subject, o *Object) []Finding {
	service, ok := o.typed.(*corev1.Service)
	if !ok || !service.Spec.PublishNotReadyAddresses {
		return nil
	}
	for key := range service.Spec.Selector {
		if strings.HasSuffix(key, "-active") && runtimeLabel(key) {
			return []Finding{at(o, "spec.publishNotReadyAddresses",
				"publishes pods that are not ready behind the leader's label "+key)}
		}
	}
	return nil
}
