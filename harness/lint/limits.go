package lint

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
)

// The node ports of a cluster whose API server has the default range.
const firstNodePort, lastNodePort = 30000, 32767

// limited collects what breaks a limit of an object.
type limited struct {
	object *Object
	all    []Finding
}

func (l *limited) add(path string, problems ...string) {
	for _, problem := range problems {
		l.all = append(l.all, at(l.object, path, oneLine(problem)))
	}
}

// once reports a key that is there already.
func (l *limited) once(known sets.Set[string], path, key, what string) {
	if known.Has(key) {
		l.add(path, what+" stands twice")
	}
	known.Insert(key)
}

// limits checks what the API server checks of names and numbers beyond their types.
func limits(_ *subject, o *Object) []Finding {
	l := &limited{object: o}
	switch typed := o.typed.(type) {
	case *corev1.Service:
		l.service(&typed.Spec)
	case *corev1.ConfigMap:
		for key := range typed.Data {
			l.add("data["+key+"]", validation.IsConfigMapKey(key)...)
		}
		for key := range typed.BinaryData {
			l.add("binaryData["+key+"]", validation.IsConfigMapKey(key)...)
		}
	case *corev1.Secret:
		for key := range typed.Data {
			l.add("data["+key+"]", validation.IsConfigMapKey(key)...)
		}
	case *networkingv1.Ingress:
		for i, rule := range typed.Spec.Rules {
			l.host(fmt.Sprintf("spec.rules[%d].host", i), rule.Host)
		}
		for i, tls := range typed.Spec.TLS {
			for j, host := range tls.Hosts {
				l.host(fmt.Sprintf("spec.tls[%d].hosts[%d]", i, j), host)
			}
		}
	}
	for _, s := range selections(o) {
		for key, value := range s.selector.MatchLabels {
			l.add(s.path+"["+key+"]", append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...)...)
		}
	}
	if p := o.pod(); p != nil {
		l.pod(p)
	}
	return l.all
}

func (l *limited) host(path, host string) {
	switch {
	case host == "":
	case host[0] == '*':
		l.add(path, validation.IsWildcardDNS1123Subdomain(host)...)
	default:
		l.add(path, validation.IsDNS1123Subdomain(host)...)
	}
}

func (l *limited) service(spec *corev1.ServiceSpec) {
	names, numbers := sets.New[string](), sets.New[string]()
	for i, port := range spec.Ports {
		path := fmt.Sprintf("spec.ports[%d]", i)
		switch {
		case port.Name != "":
			l.add(path+".name", validation.IsDNS1123Label(port.Name)...)
			l.once(names, path+".name", port.Name, "the port's name")
		case len(spec.Ports) > 1:
			l.add(path+".name", "has to be there where a Service has several ports")
		}
		l.add(path+".port", validation.IsValidPortNum(int(port.Port))...)
		l.once(numbers, path+".port", fmt.Sprint(protocol(port.Protocol), port.Port), "the port")
		if port.TargetPort.Type == intstr.String {
			l.add(path+".targetPort", validation.IsValidPortName(port.TargetPort.StrVal)...)
		}
		if n := port.NodePort; n != 0 && (n < firstNodePort || n > lastNodePort) {
			l.add(path+".nodePort", fmt.Sprintf("is %d, outside of the range from %d to %d", n, firstNodePort, lastNodePort))
		}
	}
	if spec.ExternalName != "" {
		l.add("spec.externalName", validation.IsDNS1123Subdomain(spec.ExternalName)...)
	}
}

func protocol(p corev1.Protocol) corev1.Protocol {
	if p == "" {
		return corev1.ProtocolTCP
	}
	return p
}

func (l *limited) pod(p *pod) {
	containers, volumes := sets.New[string](), sets.New[string]()
	hostPorts := sets.New[string]()
	for i, volume := range p.spec.Volumes {
		path := fmt.Sprintf("%sspec.volumes[%d].name", p.path, i)
		l.add(path, validation.IsDNS1123Label(volume.Name)...)
		l.once(volumes, path, volume.Name, "the volume's name")
	}
	if p.spec.Hostname != "" {
		l.add(p.path+"spec.hostname", validation.IsDNS1123Label(p.spec.Hostname)...)
	}
	p.containers(func(path string, c *corev1.Container) {
		l.add(path+".name", validation.IsDNS1123Label(c.Name)...)
		l.once(containers, path+".name", c.Name, "the container's name")
		names, mounts := sets.New[string](), sets.New[string]()
		for i, port := range c.Ports {
			place := fmt.Sprintf("%s.ports[%d]", path, i)
			if port.Name != "" {
				l.add(place+".name", validation.IsValidPortName(port.Name)...)
				l.once(names, place+".name", port.Name, "the port's name")
			}
			l.add(place+".containerPort", validation.IsValidPortNum(int(port.ContainerPort))...)
			if port.HostPort != 0 {
				l.add(place+".hostPort", validation.IsValidPortNum(int(port.HostPort))...)
				l.once(hostPorts, place+".hostPort", fmt.Sprint(protocol(port.Protocol), port.HostIP, port.HostPort),
					"the host's port")
			}
		}
		for i, variable := range c.Env {
			l.add(fmt.Sprintf("%s.env[%d].name", path, i), validation.IsRelaxedEnvVarName(variable.Name)...)
		}
		for name, request := range c.Resources.Requests {
			if limit, limited := c.Resources.Limits[name]; limited && request.Cmp(limit) > 0 {
				l.add(path+".resources.requests."+string(name), fmt.Sprintf("is %s, more than the limit of %s", request.String(),
					limit.String()))
			}
		}
		for i, mount := range c.VolumeMounts {
			place := fmt.Sprintf("%s.volumeMounts[%d].mountPath", path, i)
			l.once(mounts, place, mount.MountPath, "the mount")
		}
	})
}
