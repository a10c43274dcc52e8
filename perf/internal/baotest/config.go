package baotest

import "encoding/json"

type object = map[string]any

// serverConfig renders OpenBao's configuration in the form GitLab's chart gives it: PostgreSQL with
// HA, static seal, self-initialisation with a JWT mount for the administrator.
func serverConfig(addr, cluster, keyFile, publicKey string) ([]byte, error) {
	request := func(name, path string, data object) object {
		return object{name: object{"operation": "update", "path": path, "data": data}}
	}
	return json.Marshal(object{
		"ui": false, "log_level": "warn",
		"api_addr": "http://" + addr, "cluster_addr": "https://" + cluster,
		"listener": []object{{"tcp": object{"address": addr, "cluster_address": cluster, "tls_disable": true}}},
		"storage": object{"postgresql": object{ // the URL with the password is in the environment
			"ha_enabled": "true", "max_parallel": "8", "max_idle_connections": "8", "max_connect_retries": "20",
			// As many transactions as connections stand still when OpenBao stores its keyring,
			// every five minutes (docs/benchmarks.md).
			"transaction_max_parallel": "6",
		}},
		"seal": object{"static": object{"current_key_id": "test-1", "current_key": "file://" + keyFile}},
		"initialize": []object{{"admin": object{"request": []object{
			request("auth", "sys/auth/admin_jwt", object{"type": "jwt"}),
			request("config", "auth/admin_jwt/config", object{
				"bound_issuer": issuer, "jwt_validation_pubkeys": []string{publicKey}, "jwt_supported_algs": []string{"ES256"},
			}),
			request("policy", "sys/policies/acl/admin", object{
				"policy": `path "*" { capabilities = ["create","read","update","patch","delete","list","sudo"] }`,
			}),
			request("role", "auth/admin_jwt/role/admin", object{
				"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{audience},
				"bound_subject": "admin", "token_policies": []string{"admin"}, "token_type": "batch", "token_ttl": "1h",
			}),
		}}}},
	})
}
