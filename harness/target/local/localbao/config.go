package localbao

import (
	"encoding/json"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// config renders the server's configuration: the shape GitLab's chart renders
// (static seal, PostgreSQL with HA, self-initialisation), minus what needs Kubernetes.
func config(address, cluster, keyFile, auditFile, issuer, audience string) ([]byte, error) {
	type m = map[string]any
	var requests []m
	for _, call := range gitlab.Setup(openbao.KindOpenBao, issuer, audience) {
		requests = append(requests, m{call.Name: m{
			"operation": "update", "path": call.Path, "data": call.Data, "allow_failure": false,
		}})
	}
	return json.MarshalIndent(m{
		"ui":           false,
		"log_level":    "info",
		"api_addr":     "http://" + address,
		"cluster_addr": "https://" + cluster,
		"listener": []m{{"tcp": m{
			"address": address, "cluster_address": cluster, "tls_disable": true,
			"max_request_size": 786432, "max_request_json_memory": 1048576, // the chart's limits
			"telemetry": m{"unauthenticated_metrics_access": true},
		}}},
		"telemetry": m{"disable_hostname": true, "prometheus_retention_time": "24h", "metrics_prefix": "openbao"},
		"storage": m{"postgresql": m{ // the URL comes from BAO_PG_CONNECTION_URL: it holds the password
			"ha_enabled": "true", "max_parallel": "8", "max_idle_connections": "8", "max_connect_retries": "5",
		}},
		"seal": m{"static": m{"current_key_id": "steamer-1", "current_key": "file://" + keyFile}},
		// GitLab's chart always has a file device; its file is stdout.
		"audit":      []m{{"type": "file", "path": "stdout", "options": m{"file_path": auditFile}}},
		"initialize": []m{{"gitlab-auth": m{"request": requests}}},
	}, "", "  ")
}

// vaultConfig renders the configuration of a Vault: the same, minus what Vault does not have. It
// is sealed and empty when it starts, see Server.open.
func vaultConfig(address, cluster string) ([]byte, error) {
	type m = map[string]any
	return json.MarshalIndent(m{
		"ui":            false,
		"log_level":     "info",
		"disable_mlock": true, // the keys of a test are not worth a privilege
		"api_addr":      "http://" + address,
		"cluster_addr":  "https://" + cluster,
		"listener": []m{{"tcp": m{
			"address": address, "cluster_address": cluster, "tls_disable": true, "max_request_size": 786432,
			"telemetry": m{"unauthenticated_metrics_access": true},
		}}},
		"telemetry": m{"disable_hostname": true, "prometheus_retention_time": "24h", "metrics_prefix": "vault"},
		"storage": m{"postgresql": m{ // the URL comes from VAULT_PG_CONNECTION_URL: it holds the password
			"ha_enabled": "true", "max_parallel": "8", "max_idle_connections": "8",
		}},
	}, "", "  ")
}

// applyPatch applies a JSON Patch to a configuration.
func applyPatch(config, patch []byte) ([]byte, error) {
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, err
	}
	return operations.Apply(config)
}

// CheckPatch reports whether a JSON Patch can be applied to the configuration
// that Start writes, without starting anything. What OpenBao makes of it is not known before.
func CheckPatch(patch []byte) error {
	sample, err := config("127.0.0.1:1", "127.0.0.1:2", "/key", "/audit", "http://issuer.invalid",
		"http://audience.invalid")
	if err == nil {
		_, err = applyPatch(sample, patch)
	}
	return err
}
