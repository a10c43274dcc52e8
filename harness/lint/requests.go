package lint

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"gitlab.com/steamer/steamer/harness/load"
)

// What a limit of requests may be: OpenBao's own defaults are 90 s and 32 MiB, and GitLab's
// secrets hold up to 10,000 bytes.
const (
	defaultDuration          = 90 * time.Second
	leastDuration, mostTime  = 5 * time.Second, 10 * time.Minute
	leastRequest, mostSizeOf = 16 << 10, 256 << 20
)

// requests checks how long and how big a request may be, and that what stands in front of OpenBao
// waits as long.
func requests(_ *subject, c *Case) []Finding {
	var all []Finding
	longest := time.Duration(0)
	for _, o := range c.Objects {
		o.listeners(func(server *config, l block) {
			if len(o.hooks()) > 0 || l.forMetrics() {
				return
			}
			add := func(format string, args ...any) {
				all = append(all, at(o, server.path, fmt.Sprintf(format, args...)))
			}
			limit := cmp.Or(seconds(l.fields["max_request_duration"]), seconds(server.get("default_max_request_duration")),
				defaultDuration)
			longest = max(longest, limit)
			switch {
			case limit > mostTime:
				add("a request may take %s: one that hangs holds its connection to the database for as long", limit)
			case limit < leastDuration:
				add("a request may take %s only: a takeover alone takes longer", limit)
			}
			size, err := strconv.ParseFloat(l.get("max_request_size"), 64)
			switch {
			case err != nil || size == 0: // the default
			case size < 0:
				add("max_request_size is negative, which takes requests of any size into memory")
			case size > mostSizeOf:
				add("max_request_size is %.0f MiB: a few requests fill the pod's memory", size/(1<<20))
			case size < leastRequest:
				add("max_request_size is %.0f bytes, less than GitLab's secrets may have", size)
			}
		})
	}
	if longest == 0 {
		return all
	}
	for _, o := range c.Objects {
		for place, limit := range patience(o) {
			if limit < longest {
				all = append(all, warnAt(o, place, fmt.Sprintf(
					"gives up after %s, while OpenBao works on a request for up to %s", limit, longest)))
			}
		}
	}
	return all
}

// seconds reads a duration as OpenBao does: a number is of seconds; 0 where there is none.
func seconds(value any) time.Duration {
	text := fmt.Sprint(value)
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(number * float64(time.Second))
	}
	parsed, _ := time.ParseDuration(text)
	return parsed
}

// patience is how long an Ingress or a route waits for an answer, by the place that says so.
func patience(o *Object) map[string]time.Duration {
	all := map[string]time.Duration{}
	if _, ok := o.typed.(*networkingv1.Ingress); ok {
		const note = "nginx.ingress.kubernetes.io/proxy-read-timeout"
		if limit := seconds(o.notes[note]); limit > 0 {
			all["metadata.annotations["+note+"]"] = limit
		}
	}
	if o.GVK.Kind == "HTTPRoute" {
		rules, _ := o.field("spec", "rules").([]any)
		for i, rule := range rules {
			for _, name := range []string{"request", "backendRequest"} {
				tree, _ := rule.(map[string]any)
				timeouts, _ := tree["timeouts"].(map[string]any)
				if limit := seconds(timeouts[name]); limit > 0 { // 0s waits for ever
					all[fmt.Sprintf("spec.rules[%d].timeouts.%s", i, name)] = limit
				}
			}
		}
	}
	return all
}

// The pool of connections to PostgreSQL, where the configuration says nothing.
const defaultIdle, defaultTransactions = 2, 64

// What PostgreSQL grants by default, without what it keeps for its superuser.
const databaseConnections = 97

// pool checks the sizes of the connection pool against each other.
func pool(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, server := range serverConfigs(c) {
		storage := func(key string, otherwise float64) float64 {
			if value, err := strconv.ParseFloat(fmt.Sprint(server.get("storage", "postgresql", key)), 64); err == nil {
				return value
			}
			return otherwise
		}
		most := storage("max_parallel", 0)
		if most <= 0 {
			continue // OpenBao's default, which nobody chose
		}
		add := func(severity Severity, key, format string, args ...any) {
			finding := at(server.object, server.path+".storage.postgresql."+key, fmt.Sprintf(format, args...))
			finding.Severity = severity
			all = append(all, finding)
		}
		pods := 0
		for _, p := range server.pods(c) {
			n, _ := replicas(p.object, c)
			pods += n
		}
		idle, transactions := storage("max_idle_connections", defaultIdle), storage("transaction_max_parallel",
			defaultTransactions)
		if most < 2 {
			add("", "max_parallel", "is %.0f: a read inside a transaction waits for itself", most)
		} else if transactions >= most {
			add("", "transaction_max_parallel", "is %.0f of %.0f connections: transactions may hold all, and wait for one more",
				transactions, most)
		}
		if most >= 16 && idle < most/2 {
			add("", "max_idle_connections", "is %.0f of %.0f connections: the others are made again for each use", idle, most)
		}
		if float64(pods)*most > databaseConnections {
			add(Warning, "max_parallel", "lets %d pods open %.0f connections, more than PostgreSQL's default of 100 grants",
				pods, float64(pods)*most)
		}
	}
	return all
}

// tiers checks that each tier of GitLab's sizing table gets the memory and CPU that it names.
func tiers(s *subject) []Finding {
	var all []Finding
	for _, tier := range load.Tiers() {
		c := s.probe(map[string]any{"sizing.tier": tier.Name, "resources": map[string]any{}})
		if c.Err != nil { // it may be a number
			c = s.probe(map[string]any{"sizing.tier": tier.Rate, "resources": map[string]any{}})
		}
		if c.Err != nil {
			all = append(all, seen(s.aboutValue("sizing.tier", tier.Name+" does not render: "+reason(c.Err)), c))
			continue
		}
		for _, server := range serverConfigs(c) {
			for _, p := range server.pods(c) {
				main := &p.spec.Containers[0]
				for name, least := range map[corev1.ResourceName]string{"memory": tier.Memory, "cpu": tier.CPURequest} {
					if given := main.Resources.Requests[name]; given.Cmp(resource.MustParse(least)) < 0 {
						all = append(all, seen(at(p.object, p.path+"spec.containers[0].resources.requests."+string(name),
							fmt.Sprintf("is %s in tier %s, for which GitLab's sizing has %s", given.String(), tier.Name, least)), c))
					}
				}
			}
		}
	}
	return all
}
