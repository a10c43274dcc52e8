package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
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

// variables lists the variables that a container takes from a ConfigMap or Secret; not known where
// the case does not render that.
func (c *Case) variables(from corev1.EnvFromSource) (names []string, known bool) {
	for _, o := range c.Objects {
		if from.SecretRef != nil && o.ID() == "Secret/"+from.SecretRef.Name ||
			from.ConfigMapRef != nil && o.ID() == "ConfigMap/"+from.ConfigMapRef.Name {
			for key := range dataKeys(o) {
				names = append(names, from.Prefix+key)
			}
			return names, true
		}
	}
	return nil, false
}

// plainVariable fits names that no shell takes for one of its commands.
var plainVariable = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)

// environmentOrder finds references to variables that Kubernetes does not know, or not yet, when it
// expands them.
func environmentOrder(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, o := range c.Objects {
		p := o.pod()
		if p == nil {
			continue
		}
		p.containers(func(path string, container *corev1.Container) {
			given, complete := sets.New[string](), true
			for _, from := range container.EnvFrom {
				names, known := c.variables(from)
				given.Insert(names...)
				complete = complete && known
			}
			later := sets.New[string]()
			for _, variable := range container.Env {
				later.Insert(variable.Name)
			}
			check := func(place, text string, wanted func(name string) bool) {
				for _, name := range expanded(text) {
					switch {
					case given.Has(name) || serviceVariable.MatchString(name) || !wanted(name):
					case later.Has(name):
						all = append(all, at(o, place, "refers to $("+name+"), which is defined later in the container"))
					case complete:
						all = append(all, at(o, place, "refers to $("+name+"), which the container does not define"))
					}
				}
			}
			for i, variable := range container.Env {
				check(fmt.Sprintf("%s.env[%d].value", path, i), variable.Value,
					func(name string) bool { return complete || name != variable.Name })
				given.Insert(variable.Name)
				later.Delete(variable.Name)
			}
			for i, text := range container.Command {
				check(fmt.Sprintf("%s.command[%d]", path, i), text, plainVariable.MatchString)
			}
			for i, text := range container.Args {
				check(fmt.Sprintf("%s.args[%d]", path, i), text, plainVariable.MatchString)
			}
			for i, mount := range container.VolumeMounts {
				check(fmt.Sprintf("%s.volumeMounts[%d].subPathExpr", path, i), mount.SubPathExpr,
					func(string) bool { return true })
			}
		})
	}
	return all
}

// bareAddress is a variable as the host of a URL, or before a port, without brackets.
var bareAddress = regexp.MustCompile(`(?:://(?:[^\s/@"']*@)?\$[({]?([A-Za-z_]\w*)|` +
	`(?:^|[\s"'=,])\$[({]?([A-Za-z_]\w*)[)}]?:[\d$])`)

// bareAddresses finds URLs whose host is an address of the pod or its node without brackets.
// A chart that has brackets in another case, such as with a value that chooses IPv6, is not to
// blame.
func bareAddresses(s *subject, c *Case) []Finding {
	var all []Finding
	ofAny := map[string]string{} // fields by variable, of any pod: of which one a ConfigMap is, is not known
	for _, o := range c.Objects {
		o.addresses(ofAny)
	}
	for _, o := range c.Objects {
		fields := ofAny
		if o.pod() != nil {
			fields = map[string]string{}
			o.addresses(fields)
		}
		if len(fields) == 0 || o.pod() == nil && o.GVK.Kind != "ConfigMap" {
			continue
		}
		for _, place := range readables("", o.Tree) {
			if !open.MatchString(place.path) {
				continue
			}
			for _, match := range bareAddress.FindAllStringSubmatch(place.text, -1) {
				name := match[1] + match[2]
				if field := fields[name]; field != "" &&
					!s.anyRender(o.File, "[$("+name+")]", "[${"+name+"}]", "[$"+name+"]") {
					all = append(all, at(o, place.path, "has "+name+" ("+field+") as the host of a URL without brackets"))
				}
			}
		}
	}
	return all
}

// addresses adds the variables of an object's pods that hold an address to fields.
func (o *Object) addresses(fields map[string]string) {
	p := o.pod()
	if p == nil {
		return
	}
	p.containers(func(_ string, container *corev1.Container) {
		for _, variable := range container.Env {
			if from := variable.ValueFrom; from != nil && from.FieldRef != nil &&
				hostAddress.MatchString(from.FieldRef.FieldPath) {
				fields[variable.Name] = from.FieldRef.FieldPath
			}
			if names := expanded(variable.Value); len(names) == 1 && variable.Value == "$("+names[0]+")" &&
				fields[names[0]] != "" {
				fields[variable.Name] = fields[names[0]]
			}
		}
	})
}

var hostAddress = regexp.MustCompile(`^status\.(pod|host)IPs?$`)

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
