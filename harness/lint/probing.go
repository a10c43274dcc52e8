package lint

import (
	"net/url"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// probing looks at what the probes of pods behind a Service ask.
func probing(_ *subject, c *Case) []Finding {
	var all []Finding
	servers := serverConfigs(c)
	for _, o := range c.Objects {
		p := o.pod()
		if p == nil || len(o.hooks()) > 0 || !served(p, c) {
			continue
		}
		server := false
		for _, config := range servers {
			server = server || p.mounts(config.object)
		}
		asks := false
		p.containers(func(path string, container *corev1.Container) {
			asks = asks || container.ReadinessProbe != nil
			handlers(container, func(where string, h handler) {
				if strings.HasPrefix(where, "lifecycle.") {
					return
				}
				all = append(all, asking(o, path+"."+where, where, h, server)...)
			})
		})
		if !asks {
			all = append(all, warnAt(o, p.path+"spec.containers",
				"is behind a Service and has no readinessProbe: it gets requests from its start on"))
		}
	}
	return all
}

// served says whether a Service leads to the pods.
func served(p *pod, c *Case) bool {
	for _, o := range c.Objects {
		service, ok := o.typed.(*corev1.Service)
		if ok && len(service.Spec.Selector) > 0 && selects(&metav1.LabelSelector{MatchLabels: service.Spec.Selector},
			p.object) {
			return true
		}
	}
	return false
}

// cannotFail fits the commands of probes that succeed whatever the program does.
var cannotFail = regexp.MustCompile(`^(/bin/)?(true|:|echo\b[^;&|]*|exit 0)$|` +
	`(\|\|\s*(true|:|exit 0)|;\s*(true|:|exit 0|echo\b[^;&|]*))\s*$`)

// asking judges one probe.
func asking(o *Object, path, kind string, h handler, server bool) []Finding {
	switch {
	case h.exec != nil:
		command := h.exec.Command
		if len(command) == 0 || !cannotFail.MatchString(strings.TrimSpace(command[len(command)-1])) {
			return nil
		}
		if len(command) > 1 && !strings.HasPrefix(command[len(command)-2], "-") { // no script of a shell
			return nil
		}
		return []Finding{at(o, path+".exec", "cannot fail: it succeeds whatever the program does")}
	case h.tcp != nil && server && kind == "readinessProbe":
		finding := at(o, path+".tcpSocket", "asks only whether the port is open, which it is in a sealed pod, too")
		finding.Severity, finding.Hint = Warning, "ask for /v1/sys/health?standbyok=true"
		return []Finding{finding}
	case h.http != nil:
		return health(o, path, kind, h.http.Path)
	}
	return nil
}

// health judges a probe of OpenBao's health: which answer each state of a pod gives.
func health(o *Object, path, kind, text string) []Finding {
	asked, err := url.Parse(text)
	if err != nil || !strings.HasSuffix(asked.Path, "/sys/health") {
		return nil
	}
	query := asked.Query()
	succeeds := func(code string) bool {
		c := query.Get(code)
		return len(c) == 3 && (c[0] == '2' || c[0] == '3')
	}
	place := path + ".httpGet.path"
	switch {
	case kind == "readinessProbe" && succeeds("sealedcode"):
		return []Finding{at(o, place, "calls a sealed pod ready, which answers no request")}
	case kind == "livenessProbe" && query.Get("standbyok") == "" && query.Get("perfstandbyok") == "" &&
		!succeeds("standbycode"):
		return []Finding{at(o, place, "fails in a standby, which is killed for it")}
	}
	return nil
}
