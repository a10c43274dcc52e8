package lint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
)

// parseServer reads a text as OpenBao reads its configuration, JSON or HCL; false where it is no
// configuration of a server.
func parseServer(text string) (*ast.ObjectList, bool) {
	parsed, err := hcl.Parse(text)
	if err != nil {
		return nil, false
	}
	list, ok := parsed.Node.(*ast.ObjectList)
	if !ok || len(list.Filter("storage").Items)+len(list.Filter("backend").Items) == 0 {
		return nil, false
	}
	return list, true
}

// serverTree is a configuration as nested maps, in which a block that stands once is a map; nil
// where the text is none.
func serverTree(text string) map[string]any {
	var tree map[string]any
	if json.Unmarshal([]byte(text), &tree) == nil {
		return tree
	}
	if _, ok := parseServer(text); !ok || hcl.Decode(&tree, text) != nil {
		return nil
	}
	tree, _ = plain(tree).(map[string]any)
	return tree
}

// plain takes the lists away that HCL puts around every block.
func plain(node any) any {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			node[key] = plain(value)
		}
	case []map[string]any:
		if len(node) == 1 {
			return plain(node[0])
		}
		all := make([]any, len(node))
		for i, value := range node {
			all[i] = plain(value)
		}
		return all
	case []any:
		for i, value := range node {
			node[i] = plain(value)
		}
	}
	return node
}

// serverConfigs lists the configurations of OpenBao that ConfigMaps and Secrets of the release
// hold.
func serverConfigs(c *Case) []*config {
	var all []*config
	for _, o := range c.Objects {
		if len(o.hooks()) == 0 {
			all = append(all, o.serverConfigs()...)
		}
	}
	return all
}

// serverConfigs lists the configurations that a ConfigMap or Secret holds. They are parsed once:
// many rules and cases ask.
func (o *Object) serverConfigs() []*config {
	o.parseConfigs.Do(func() {
		if o.GVK.Kind != "ConfigMap" && o.GVK.Kind != "Secret" {
			return
		}
		for _, f := range files(o) {
			tree := serverTree(f.text)
			if tree["storage"] != nil || tree["backend"] != nil {
				o.configs = append(o.configs, &config{object: o, path: f.path, tree: tree, text: f.text})
			}
		}
	})
	return o.configs
}

// What OpenBao's parser knows, of versions 2.4 to 2.6 and of what it keeps from Vault.
var (
	topKeys = sets.New(strings.Fields(`allow_audit_log_prefixing allow_unauthenticated_workflows api_addr audit backend
		cache_size cluster_addr cluster_cipher_suites cluster_name default_lease_ttl default_max_request_duration
		detect_deadlocks disable_cache disable_clustering disable_indexing disable_mlock disable_performance_standby
		disable_printable_check disable_sealwrap disable_sentinel_trace disable_standby_reads
		enable_response_header_hostname enable_response_header_raft_node_id ha_backend ha_storage hsm
		imprecise_lease_role_tracking initialize introspection_endpoint kms listener log_file log_format log_level
		log_requests_level log_rotate_bytes log_rotate_duration log_rotate_max_files max_lease_ttl pid_file plugin
		plugin_auto_download plugin_auto_register plugin_directory plugin_download_behavior plugin_download_max_size
		plugin_file_permissions plugin_file_uid raw_storage_endpoint seal service_registration storage telemetry ui
		unsafe_allow_api_audit_creation unsafe_cross_namespace_identity unsafe_relative_paths user_lockout
		administrative_namespace_path license_path enable_multiseal experiments reporting`)...)
	listenerKeys = sets.New(strings.Fields(`address agent_api cluster_address cors_allow_credentials cors_allowed_headers
		cors_allowed_origins cors_enabled custom_response_headers disable_unauthed_generate_root_endpoints
		disable_unauthed_rekey_endpoints http_idle_timeout http_read_header_timeout http_read_timeout http_write_timeout
		inflight_requests_logging max_request_duration max_request_json_memory max_request_json_strings max_request_size
		profiling proxy_api proxy_protocol_authorized_addrs proxy_protocol_behavior purpose require_request_header role
		socket_group socket_mode socket_user telemetry tls_acme_ca_directory tls_acme_ca_root tls_acme_cache_path
		tls_acme_disable_alpn_challenge tls_acme_disable_http_challenge tls_acme_domains tls_acme_eab_key_id
		tls_acme_eab_mac_key tls_acme_email tls_acme_key_type tls_acme_test_ca_directory tls_auto_reload
		tls_auto_reload_interval tls_cert_file tls_cipher_suites tls_client_ca_file tls_disable tls_disable_client_certs
		tls_key_exchange_preferences tls_key_file tls_max_version tls_min_version tls_prefer_server_cipher_suites
		tls_require_and_verify_client_cert type x_forwarded_for_authorized_addrs x_forwarded_for_client_cert_decoders
		x_forwarded_for_client_cert_header x_forwarded_for_client_cert_keep_not_forwarded
		x_forwarded_for_client_cert_keep_unauthorized x_forwarded_for_hop_skips x_forwarded_for_reject_not_authorized
		x_forwarded_for_reject_not_present`)...)
	telemetryKeys = sets.New(strings.Fields(`add_lease_metrics_namespace_labels add_mount_point_rollback_metrics
		circonus_api_app circonus_api_token circonus_api_url circonus_broker_id circonus_broker_select_tag
		circonus_check_display_name circonus_check_force_metric_activation circonus_check_id circonus_check_instance_id
		circonus_check_search_tag circonus_check_tags circonus_submission_interval circonus_submission_url
		disable_hostname dogstatsd_addr dogstatsd_tags enable_hostname_label filter_default lease_metrics_epsilon
		maximum_gauge_cardinality metrics_prefix num_lease_metrics_buckets prefix_filter prometheus_retention_time
		stackdriver_debug_logs stackdriver_location stackdriver_namespace stackdriver_project_id statsd_address
		statsite_address usage_gauge_period rollback_metrics_include_mount_point`)...)
)

// block is one block, such as a listener, with its fields.
type block struct {
	kind   string // "" where none is given
	line   int
	fields map[string]any
	keys   []string
}

// get returns a field as text, "" where it is absent.
func (b block) get(name string) string {
	if value := b.fields[name]; value != nil {
		return fmt.Sprint(value)
	}
	return ""
}

func (b block) on(name string) bool {
	on, _ := strconv.ParseBool(b.get(name))
	return on
}

// forMetrics says whether a listener is there for metrics: it answers nothing else, or answers
// them to everybody.
func (b block) forMetrics() bool {
	telemetry, _ := plain(b.fields["telemetry"]).(map[string]any)
	inner := block{fields: telemetry}
	return b.get("role") == "metrics_only" || strings.Contains(b.get("purpose"), "metrics") ||
		inner.on("metrics_only") || inner.on("unauthenticated_metrics_access")
}

// blocks lists the blocks of a name.
func blocks(list *ast.ObjectList, name string) []block {
	var all []block
	for _, item := range list.Filter(name).Items {
		b := block{line: item.Val.Pos().Line}
		if len(item.Keys) > 0 {
			b.kind, _ = item.Keys[0].Token.Value().(string)
		}
		if hcl.DecodeObject(&b.fields, item.Val) != nil {
			b.fields = nil
		}
		if object, ok := item.Val.(*ast.ObjectType); ok {
			for _, field := range object.List.Items {
				if len(field.Keys) > 0 {
					key, _ := field.Keys[0].Token.Value().(string)
					b.keys = append(b.keys, key)
				}
			}
		}
		all = append(all, b)
	}
	return all
}

// serverSettings checks a configuration by OpenBao's own rules for its keys and blocks.
func serverSettings(_ *subject, o *Object) []Finding {
	var all []Finding
	if o.GVK.Kind != "ConfigMap" && o.GVK.Kind != "Secret" {
		return nil
	}
	for _, f := range files(o) {
		list, ok := parseServer(f.text)
		if !ok {
			continue
		}
		add := func(severity Severity, line int, format string, args ...any) {
			finding := at(o, f.path, fmt.Sprintf(format, args...)+fmt.Sprintf(" (line %d)", line))
			finding.Severity = severity
			all = append(all, finding)
		}
		for _, item := range list.Items {
			if len(item.Keys) == 0 {
				continue
			}
			key, _ := item.Keys[0].Token.Value().(string)
			if !topKeys.Has(key) {
				add(Warning, item.Pos().Line, "%s is no setting of OpenBao, which ignores it", key)
			}
		}
		for _, name := range []string{"storage", "backend", "ha_storage", "ha_backend", "service_registration", "telemetry"} {
			if found := blocks(list, name); len(found) > 1 {
				add(Error, found[1].line, "only one block %s is permitted, there are %d", name, len(found))
			}
		}
		for _, l := range blocks(list, "listener") {
			kind := strings.ToLower(cmp.Or(l.get("type"), l.kind))
			if kind != "tcp" && kind != "unix" {
				add(Error, l.line, "a listener is of type %q; OpenBao has tcp and unix", kind)
			}
			if role := l.get("role"); role != "" && role != "default" && role != "metrics_only" {
				add(Error, l.line, "a listener has the role %q; OpenBao has default and metrics_only", role)
			}
			if text := l.get("tls_disable"); text != "" {
				if _, err := strconv.ParseBool(text); err != nil {
					add(Error, l.line, "tls_disable of a listener is no boolean")
				}
			}
			for _, key := range l.keys {
				if !listenerKeys.Has(key) {
					add(Warning, l.line, "%s is no setting of a listener, and is ignored", key)
				}
			}
		}
		for _, t := range blocks(list, "telemetry") {
			for _, key := range t.keys {
				if !telemetryKeys.Has(key) {
					add(Warning, t.line, "%s is no setting of telemetry, and is ignored", key)
				}
			}
		}
	}
	return all
}

// listening checks the listeners of a configuration, and the probes that ask them.
func listening(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, server := range serverConfigs(c) {
		list, ok := parseServer(server.text)
		if !ok {
			continue
		}
		plain, encrypted := 0, 0
		secure := map[string]bool{} // TLS by port
		for _, l := range blocks(list, "listener") {
			host, port, _ := net.SplitHostPort(cmp.Or(l.get("address"), "127.0.0.1:8200"))
			secure[port] = !l.on("tls_disable")
			certified := l.get("tls_cert_file") != "" && l.get("tls_key_file") != ""
			if secure[port] && !certified && !strings.Contains(strings.Join(l.keys, " "), "tls_acme_") && l.kind != "unix" {
				all = append(all, at(server.object, server.path, "the listener of port "+port+
					" has TLS on and neither a certificate with its key nor ACME; OpenBao does not start"))
			}
			ip := net.ParseIP(host)
			if l.kind == "unix" || l.forMetrics() || ip != nil && ip.IsLoopback() {
				continue
			}
			if secure[port] {
				encrypted++
			} else {
				plain++
			}
		}
		if plain > 0 && encrypted > 0 {
			all = append(all, warnAt(server.object, server.path, "one port of the API has TLS and another has not"))
		}
		for _, p := range server.pods(c) {
			all = append(all, schemes(p, secure)...)
		}
	}
	return all
}

// schemes compares the schemes of probes with the TLS of the listeners they ask.
func schemes(p *pod, secure map[string]bool) []Finding {
	var all []Finding
	p.containers(func(path string, c *corev1.Container) {
		handlers(c, func(where string, h handler) {
			if h.http == nil || strings.HasPrefix(where, "lifecycle.") {
				return
			}
			port := h.http.Port.String()
			for _, declared := range c.Ports {
				if declared.Name == port {
					port = strconv.Itoa(int(declared.ContainerPort))
				}
			}
			tls, known := secure[port]
			if known && tls != (h.http.Scheme == corev1.URISchemeHTTPS) {
				all = append(all, at(p.object, path+"."+where+".httpGet.scheme",
					fmt.Sprintf("is %s, but the listener of port %s has TLS %s", cmp.Or(h.http.Scheme, corev1.URISchemeHTTP), port,
						map[bool]string{true: "on", false: "off"}[tls])))
			}
		})
	})
	return all
}
