package lint

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// listeners visits the listeners of the configurations that an object holds.
func (o *Object) listeners(visit func(server *config, l block)) {
	for _, server := range o.serverConfigs() {
		if list, ok := parseServer(server.text); ok {
			for _, l := range blocks(list, "listener") {
				visit(server, l)
			}
		}
	}
}

// forwarded looks at whose word about a client's address and certificate the listeners take.
func forwarded(_ *subject, o *Object) []Finding {
	var all []Finding
	o.listeners(func(server *config, l block) {
		add := func(format string, args ...any) {
			all = append(all, at(o, server.path, fmt.Sprintf(format, args...)))
		}
		for _, name := range []string{"x_forwarded_for_authorized_addrs", "proxy_protocol_authorized_addrs"} {
			for _, addresses := range listed(l.fields[name]) {
				if everyone(addresses) {
					add("%s holds %s: any client may choose the address that limits and the audit log see", name, addresses)
				}
			}
		}
		if l.get("proxy_protocol_behavior") == "use_always" {
			add("proxy_protocol_behavior is use_always: any client may choose the address that limits and the audit log see")
		}
		for _, name := range []string{"keep_unauthorized", "keep_not_forwarded"} {
			if name = "x_forwarded_for_client_cert_" + name; l.on(name) {
				add("%s is on: a client that is no proxy may claim any certificate", name)
			}
		}
	})
	return all
}

// listed are the parts of a list, or of a text with commas.
func listed(value any) []string {
	var all []string
	parts, isList := value.([]any)
	if !isList {
		parts = []any{value}
	}
	for _, part := range parts {
		if text, isText := part.(string); isText {
			for one := range strings.SplitSeq(text, ",") {
				all = append(all, strings.TrimSpace(one))
			}
		}
	}
	return all
}

// everyone says whether a range of addresses is so wide that clients are in it: wider than the
// widest private one, 10.0.0.0/8 or fc00::/7.
func everyone(text string) bool {
	addresses, err := netip.ParsePrefix(text)
	if err != nil {
		return false
	}
	widest := 8
	if addresses.Addr().Is6() {
		widest = 7
	}
	return addresses.Bits() < widest
}

// logVariable fits the variables that override the configured level of the log.
var logVariable = regexp.MustCompile(`^(BAO|VAULT)_LOG_LEVEL$`)

// logs looks for levels of the log that write down what requests are about, and for audit records
// with secrets in the clear.
func logs(_ *subject, c *Case) []Finding {
	var all []Finding
	chatty := func(o *Object, path, level string) {
		if c.Kind != Base { // a level that one may choose is no fault
			return
		}
		if level = strings.ToLower(level); level == "trace" || level == "debug" {
			all = append(all, at(o, path, "is "+level+
				": the log grows with every request, and holds what none but the audit log should"))
		}
	}
	for _, server := range serverConfigs(c) {
		level, _ := server.get("log_level").(string)
		chatty(server.object, server.path+".log_level", level)
		if requests, _ := server.get("log_requests_level").(string); requests != "" && requests != "off" && c.Kind == Base {
			all = append(all, warnAt(server.object, server.path+".log_requests_level", "is "+requests+
				": every request stands in the log, beside the audit log"))
		}
		if list, ok := parseServer(server.text); ok {
			for _, device := range blocks(list, "audit") {
				for _, raw := range rawAudit.FindAllString(fmt.Sprint(device.fields), 1) {
					all = append(all, at(server.object, server.path+".audit", raw+" has the audit log hold tokens and secrets"))
				}
			}
		}
		for _, p := range server.pods(c) {
			p.containers(func(path string, container *corev1.Container) {
				for i, variable := range container.Env {
					if logVariable.MatchString(variable.Name) {
						chatty(p.object, fmt.Sprintf("%s.env[%d].value", path, i), variable.Value)
					}
				}
			})
		}
	}
	return all
}

// rawAudit fits the option of an audit device that keeps secrets as they are.
var rawAudit = regexp.MustCompile(`log_raw:true`)
