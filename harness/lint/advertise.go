package lint

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// substitution is a reference in an address, with the brackets of IPv6 around it or not.
var substitution = regexp.MustCompile(`\[?\$(?:\([^)]*\)|\{[^}]*\}|[A-Za-z_]\w*)\]?|\{\{.*?\}\}`)

// advertised checks the addresses that the pods of a configuration give to each other and to
// clients.
func advertised(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, server := range serverConfigs(c) {
		list, ok := parseServer(server.text)
		if !ok {
			continue
		}
		secure := map[string]bool{}
		for _, l := range blocks(list, "listener") {
			if _, port, err := net.SplitHostPort(cmp.Or(l.get("address"), "127.0.0.1:8200")); err == nil {
				secure[port] = !l.on("tls_disable")
			}
		}
		judge := func(o *Object, path, name, text string) {
			for _, problem := range append(address(name, text, secure), server.elsewhere(name, text, c)...) {
				all = append(all, at(o, path, name+problem))
			}
		}
		bare := map[string]bool{} // settings that a pod does not override
		pods := server.pods(c)
		for _, p := range pods {
			set := map[string]bool{}
			p.containers(func(path string, container *corev1.Container) {
				for i, variable := range container.Env {
					if setting := addressVariables[variable.Name]; setting != "" {
						set[setting] = true
						judge(p.object, fmt.Sprintf("%s.env[%d].value", path, i), variable.Name, variable.Value)
					}
				}
			})
			for _, setting := range addressVariables {
				bare[setting] = bare[setting] || !set[setting]
			}
		}
		for _, name := range []string{"api_addr", "cluster_addr"} {
			if text, _ := server.get(name).(string); text != "" && (bare[name] || len(pods) == 0) {
				judge(server.object, server.path+"."+name, name, text)
			}
		}
	}
	return all
}

// addressVariables are the variables that override an address of the configuration.
var addressVariables = map[string]string{
	"BAO_API_ADDR": "api_addr", "VAULT_API_ADDR": "api_addr",
	"BAO_CLUSTER_ADDR": "cluster_addr", "VAULT_CLUSTER_ADDR": "cluster_addr",
}

// pods lists the pods behind a Service that mount the configuration.
func (c *config) pods(in *Case) []*pod {
	var all []*pod
	for _, o := range in.Objects {
		if p := o.pod(); p != nil && p.mounts(c.object) && len(o.hooks()) == 0 && served(p, in) {
			all = append(all, p)
		}
	}
	return all
}

// address lists what is wrong with an address that others shall use.
func address(name, text string, secure map[string]bool) []string {
	if text == "" {
		return nil
	}
	own := substitution.MatchString(text)
	parsed, err := url.Parse(substitution.ReplaceAllString(text, "pod.invalid"))
	if err != nil || parsed.Host == "" {
		return []string{" is not a valid URL"}
	}
	ip := net.ParseIP(parsed.Hostname())
	tls, known := secure[parsed.Port()]
	isAPI := strings.Contains(strings.ToLower(name), "api")
	switch {
	case parsed.Hostname() == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()):
		return []string{" leads every pod and client to itself: " + parsed.Hostname()}
	case isAPI && known && tls != (parsed.Scheme == "https"):
		return []string{fmt.Sprintf(" has the scheme %s, but the listener of port %s has TLS %s", parsed.Scheme,
			parsed.Port(),
			map[bool]string{true: "on", false: "off"}[tls])}
	case isAPI && own && !known && len(secure) > 0:
		return []string{" names port " + cmp.Or(parsed.Port(), "(none)") + " of the pod, on which no listener is"}
	case !isAPI && known:
		return []string{" names port " + parsed.Port() + ", which is a listener's of the API"}
	}
	return nil
}

// elsewhere lists where an address for other pods leads that is not the pod's own cluster port.
func (c *config) elsewhere(name, text string, in *Case) []string {
	parsed, err := url.Parse(substitution.ReplaceAllString(text, "pod.invalid"))
	if err != nil || !strings.Contains(strings.ToLower(name), "cluster") {
		return nil
	}
	service, _, _ := strings.Cut(parsed.Hostname(), ".")
	port := portOf(parsed.Host, 0)
	switch {
	case slices.ContainsFunc(in.Objects, func(o *Object) bool { return o.GVK.Kind == "Service" && o.Name == service }):
		return []string{" names Service/" + service + ", which every pod would advertise as itself"}
	case substitution.MatchString(text) && port > 0 && !slices.Contains(c.clusterPorts(), port):
		return []string{fmt.Sprintf(" names port %d, but pods hear one another at %v", port, c.clusterPorts())}
	}
	return nil
}

// verified are the modes in which the driver verifies the database's certificate.
var verified = sets.New("verify-ca", "verify-full")

// databaseTLS checks that the database's certificate is verified where a value asks for it, and
// that a case shows how it can be.
func databaseTLS(s *subject) []Finding {
	var all []Finding
	var unverified, nameless *Finding
	named := false
	for _, c := range s.bases() {
		for _, server := range serverConfigs(c) {
			text, _ := server.get("storage", "postgresql", "connection_url").(string)
			if text == "" {
				continue
			}
			mode := parameter(text, "sslmode")
			place := at(server.object, server.path+".storage.postgresql.connection_url", "")
			asked := ""
			find(c.Values, nil, func(path mutate.Path, value string) bool {
				if strings.EqualFold(path[len(path)-1], "sslMode") && verified.Has(strings.Split(value, "&")[0]) {
					asked = strings.Split(value, "&")[0]
				}
				return asked != ""
			})
			switch {
			case asked != "" && mode != asked:
				place.Message = fmt.Sprintf("has sslmode=%s where the values ask for %s", cmp.Or(mode, "(none)"), asked)
				all = append(all, seen(place, c))
			case mode == "verify-full":
				named = true
			case verified.Has(mode):
				place.Message = "the name in the database's certificate is not compared: sslmode=" + mode
				finding := seen(place, c)
				nameless = &finding
			case unverified == nil:
				place.Message = fmt.Sprintf("the database's certificate is not verified: sslmode=%s", cmp.Or(mode, "(none)"))
				finding := seen(place, c)
				unverified = &finding
			}
		}
	}
	switch {
	case len(all) > 0 || named:
	case nameless != nil:
		nameless.Severity = Warning
		all = append(all, *nameless)
	case unverified != nil:
		unverified.Severity = Warning
		all = append(all, *unverified)
	}
	return all
}

// parameter reads a parameter of a connection URL or string.
func parameter(text, name string) string {
	match := regexp.MustCompile(`(?:^|[?&\s])` + name + `=([^&\s]*)`).FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	return match[1]
}
