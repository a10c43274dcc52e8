package lint

import (
	"fmt"
	"slices"
	"strings"
)

var auditingRules = []Rule{{
	ID: "server/audit", Title: "audit records stay, and a receiver that is down stops nobody", Severity: Error,
	Protects: "Records in a pod's own files go with the pod; a device that is tested at the start keeps every pod " +
		"sealed while GitLab is down.",
	Hint: "write to stdout, or to a volume that is claimed; set skip_test for http",
	Detail: "Reads the audit devices of configurations. The file of a file device is stdout, stderr, or in a volume " +
		"of the pods that stays. An http device has skip_test, and sends GitLab's receiver " +
		"(.../secrets_manager/audit_logs, or a header named after GitLab) the header Gitlab-Openbao-Auth-Token.",
	lenient: true, each: auditing,
}}

// devices visits the options of audit devices, in any form of the configuration.
func devices(node any, visit func(options map[string]any)) {
	switch node := node.(type) {
	case map[string]any:
		if node["file_path"] != nil || node["uri"] != nil {
			visit(node)
		}
		for _, below := range node {
			devices(below, visit)
		}
	case []any:
		for _, below := range node {
			devices(below, visit)
		}
	}
}

func auditing(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, server := range serverConfigs(c) {
		add := func(format string, args ...any) {
			all = append(all, at(server.object, server.path+".audit", fmt.Sprintf(format, args...)))
		}
		devices(server.tree["audit"], func(options map[string]any) {
			if file, isFile := options["file_path"].(string); isFile {
				for _, p := range server.pods(c) {
					if reason := p.transient(file); reason != "" {
						add("writes to %s, %s: the records go with the pod", file, reason)
					}
				}
			}
			uri, _ := options["uri"].(string)
			if uri == "" {
				return
			}
			if fmt.Sprint(options["skip_test"]) != "true" {
				add("the http device is tested when OpenBao starts: pods stay sealed while its receiver does not answer")
			}
			headers := strings.ToLower(fmt.Sprint(options["headers"]))
			gitlab := strings.Contains(uri, "secrets_manager/audit") || strings.Contains(headers, "gitlab")
			if gitlab && !strings.Contains(headers, "gitlab-openbao-auth-token") {
				add("sends no header Gitlab-Openbao-Auth-Token, without which GitLab refuses the records")
			}
		})
	}
	return all
}

// transient says why a file of a pod is gone with it; "" for one that stays, or is no file.
func (p *pod) transient(file string) string {
	if slices.Contains([]string{"stdout", "stderr"}, file) || strings.HasPrefix(file, "/dev/") ||
		strings.HasPrefix(file, "/proc/") {
		return ""
	}
	if file == "discard" {
		return "which keeps nothing"
	}
	switch volume, _ := p.volumeOf(file); {
	case volume == nil:
		return "which is on no volume"
	case volume.EmptyDir != nil:
		return "in the emptyDir " + volume.Name
	}
	return ""
}

var auditPathRules = []Rule{{
	ID: "openbao/audit-path", Title: "an audit device with other options has another path", Severity: Warning,
	Protects: "OpenBao does not start with an audit device whose path it knows with other options: changing GitLab's " +
		"address takes all pods down.",
	Hint: "end the device's path with a checksum of its options",
	Detail: "Turns on the http audit device with two addresses and compares paths and options. Known defect of " +
		"GitLab's chart 0.12.3.",
	applies: hasKeys("config.audit.http.streamingUri"), chart: auditPaths,
}}

func auditPaths(s *subject) []Finding {
	var all []Finding
	known := map[string]string{} // options by type and path
	for _, uri := range []string{"http://gitlab.example/audit", "http://gitlab.example:8080/audit"} {
		c := s.probe(map[string]any{
			"config.audit.http.enabled": true, "config.audit.http.streamingUri": uri, "image.tag": "2.6.0",
			"openbaoVersion": "2.6.0",
		})
		for _, server := range serverConfigs(c) {
			list, _ := server.get("audit").([]any)
			for _, device := range list {
				device, _ := device.(map[string]any)
				id, options := fmt.Sprint(device["type"], " ", device["path"]), fmt.Sprint(device["options"])
				if before, seen := known[id]; seen && before != options {
					all = append(all, at(server.object, server.path+".audit", "the device "+id+
						" keeps its path when its options change: OpenBao then refuses to start"))
				}
				known[id] = options
			}
		}
	}
	return all
}
