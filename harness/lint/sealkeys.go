package lint

import (
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// sealVariable fits the variables from which OpenBao and Vault take a seal's key.
var sealVariable = regexp.MustCompile(`^(BAO|VAULT)_.*SEAL.*KEY`)

// sealSecrets names the Secrets that hold a key of the seal: where the seal stanza, or a variable
// of the pods, leads; and those whose name says so.
func (s *subject) sealSecrets(c *Case) sets.Set[string] {
	names := sets.New[string]()
	variables, paths := sets.New[string](), sets.New[string]()
	for _, server := range serverConfigs(c) {
		find(server.get("seal"), nil, func(_ mutate.Path, text string) bool {
			if name, ok := strings.CutPrefix(text, "env://"); ok {
				variables.Insert(name)
			}
			if path, ok := strings.CutPrefix(text, "file://"); ok {
				paths.Insert(path)
			}
			return false
		})
	}
	for _, o := range c.Objects {
		if o.GVK.Kind == "Secret" && strings.Contains(o.Name, "unseal") {
			names.Insert(o.Name)
		}
		p := o.pod()
		if p == nil {
			continue
		}
		p.containers(func(_ string, container *corev1.Container) {
			for _, variable := range container.Env {
				from := variable.ValueFrom
				if from != nil && from.SecretKeyRef != nil && (variables.Has(variable.Name) ||
					sealVariable.MatchString(variable.Name)) {
					names.Insert(from.SecretKeyRef.Name)
				}
			}
			for _, from := range container.EnvFrom {
				keys, _ := c.variables(from)
				if from.SecretRef != nil && slices.ContainsFunc(keys,
					func(key string) bool { return variables.Has(key) || sealVariable.MatchString(key) }) {
					names.Insert(from.SecretRef.Name)
				}
			}
			for _, mount := range container.VolumeMounts {
				for path := range paths {
					if path == mount.MountPath || strings.HasPrefix(path, strings.TrimSuffix(mount.MountPath, "/")+"/") {
						names.Insert(secretsOf(p.spec.Volumes, mount.Name)...)
					}
				}
			}
		})
	}
	return names
}

// secretsOf names the Secrets in a volume.
func secretsOf(volumes []corev1.Volume, name string) []string {
	var all []string
	for i := range volumes {
		if volumes[i].Name != name {
			continue
		}
		if volumes[i].Secret != nil {
			all = append(all, volumes[i].Secret.SecretName)
		}
		if projected := volumes[i].Projected; projected != nil {
			for _, source := range projected.Sources {
				if source.Secret != nil {
					all = append(all, source.Secret.Name)
				}
			}
		}
	}
	return all
}

// withoutLookup says whether the chart renders an object also where lookup finds nothing and no
// cluster is there, as helm template does.
func (s *subject) withoutLookup(c *Case, o *Object) bool {
	files, err := s.chart.Render(chart.Rendering{Release: c.Release, Namespace: namespace, NoCluster: true}, c.Values)
	if err != nil {
		return false // it refuses
	}
	for name, content := range files {
		if !strings.HasSuffix(name, "/"+o.File) {
			continue
		}
		for text := range strings.SplitSeq("\n"+content, "\n---") {
			if counterpart(o, parse(chart.Document{Template: o.File, Text: text})) != nil {
				return true
			}
		}
	}
	return false
}
