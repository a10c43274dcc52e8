package lint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/lint"
)

const serverMap, serverPath, smallDeployment = "ConfigMap/openbao-server", "data[server.hcl]",
	"Deployment/openbao-small"

// sound is a server's configuration without a defect, and with more at its end.
func sound(more string) string { return strings.Replace(goodServer, "URL", verifiedURL, 1) + more }

// inListener is a sound configuration with one more setting in its listener.
func inListener(text string) string {
	return strings.Replace(sound(""), "  tls_disable", "  "+text+"\n  tls_disable", 1)
}

func TestSeededSafe(t *testing.T) {
	t.Parallel()
	defect := func(setting, words, text string) seeded {
		return seeded{servingText(text, ""), "server/safe", lint.Error, serverMap, serverPath + "." + setting, words}
	}
	requireSeeded(t, map[string]seeded{
		"raw store":  defect("raw_storage_endpoint", "is true", sound("raw_storage_endpoint = true\n")),
		"as text":    defect("disable_cache", "is true", sound("disable_cache = \"true\"\n")),
		"lease":      defect("max_lease_ttl", "is 87600h", sound("max_lease_ttl = \"87600h\"\n")),
		"lease in s": defect("default_lease_ttl", "is 2764801", sound("default_lease_ttl = 2764801\n")),
		"old TLS":    defect("listener.tls_min_version", "is tls10", inListener(`tls_min_version = "tls10"`)),
		"profiles": defect("listener.profiling.unauthenticated_pprof_access", "is true",
			inListener("profiling { unauthenticated_pprof_access = true }")),
		"idle": defect("listener.http_idle_timeout", "is 1s", inListener(`http_idle_timeout = "1s"`)),
		"any page": defect("listener.custom_response_headers", "is map[default:",
			inListener(`custom_response_headers { "default" = { "Access-Control-Allow-Origin" = ["*"] } }`)),
		"any origin": defect("listener.cors_allowed_origins", "is [*]", inListener(`cors_allowed_origins = ["*"]`)),
		"retention": defect("telemetry.prometheus_retention_time", "is 10s",
			sound("telemetry {\n  prometheus_retention_time = \"10s\"\n  disable_hostname = true\n}\n")),
		"named pods": defect("telemetry.disable_hostname", "is false",
			sound("telemetry { prometheus_retention_time = \"24h\" }\n")),
		"no patience": defect("storage.postgresql.max_connect_retries", "is 1", strings.Replace(sound(""), "  connection_url",
			"  max_connect_retries = 1\n  connection_url", 1)),
	})
	requireNone(t, run(t, write(t, servingText(strings.Replace(inListener("tls_min_version = \"tls13\"\n"+
		"  http_idle_timeout = \"5m\"\n  cors_allowed_origins = [\"https://a.example\"]"), "ui =",
		"raw_storage_endpoint = false\n"+
			"max_lease_ttl = 2764800\ntelemetry {\n  prometheus_retention_time = \"24h\"\n  disable_hostname = true\n}\nui =",
		1),
		"")),
		lint.Options{}), "server/safe")
}

func TestSeededStandby(t *testing.T) {
	t.Parallel()
	shared := strings.Replace(sound(""), "  connection_url", "  ha_enabled = \"true\"\n  connection_url", 1)
	pods := func(config, replicas string) map[string]string {
		files := servingText(config, "")
		files["values.yaml"] = strings.Replace(small["values.yaml"], "replicas: 1", "replicas: "+replicas, 1)
		return files
	}
	requireSeeded(t, map[string]seeded{
		"two writers": {
			pods(sound(""), "2"), "server/standby", lint.Error, serverMap, serverPath + ".storage.postgresql.ha_enabled",
			"there are 2 pods",
		},
		"rollout of all": {
			func() map[string]string {
				files := pods(shared, "2")
				files[deployment] = strings.Replace(files[deployment], "  selector:",
					"  strategy: {type: RollingUpdate, rollingUpdate: "+
						"{maxSurge: 0, maxUnavailable: 100%}}\n  selector:", 1)
				return files
			}(),
			"server/standby", lint.Error, smallDeployment, "spec.strategy.rollingUpdate.maxUnavailable", "stops 2 of 2 pods",
		},
		"no standby": {pods(shared, "1"), "server/standby", lint.Error, smallDeployment, "spec.replicas", "leaves one pod"},
	})
	for _, files := range []map[string]string{pods(shared, "2"), pods(sound(""), "1"), pods(shared, "0")} {
		requireNone(t, run(t, write(t, files), lint.Options{}), "server/standby")
	}
}

// initialised is a sound configuration that sets up Rails' login.
const initialised = `initialize "rails" {
  request "configure" {
    operation = "update"
    path = "auth/rails/config"
    data = {
      oidc_discovery_url = "https://a"
      bound_issuer = "https://a"
      skip_jwks_validation = true
    }
  }
  request "policy" {
    operation = "update"
    path = "sys/policies/acl/rails"
    data = {
      policy = "{\"path\": {\"+/sys/mounts\": {\"capabilities\": [\"read\"]}}}"
    }
  }
  request "role" {
    operation = "update"
    path = "auth/rails/role/app"
    data = {
      role_type = "jwt"
      bound_subject = "rails"
      bound_audiences = ["https://b"]
      bound_claims = { scope = "privileged" }
      token_ttl = "1h"
    }
  }
}
`

func TestSeededInitialisation(t *testing.T) {
	t.Parallel()
	defect := func(severity lint.Severity, path, words, old, replacement string) seeded {
		require.Contains(t, initialised, old)
		return seeded{
			servingText(sound(strings.Replace(initialised, old, replacement, 1)), ""), "server/initialisation", severity,
			serverMap,
			serverPath + ".initialize[" + path + "]", words,
		}
	}
	const role, method, policy = "auth/rails/role/app", "auth/rails/config", "sys/policies/acl/rails"
	requireSeeded(t, map[string]seeded{
		"any audience": defect(lint.Error, role, "binds no audience", `bound_audiences = ["https://b"]`, ""),
		"any subject":  defect(lint.Warning, role, "binds no subject", `bound_subject = "rails"`, ""),
		"anybody": defect(lint.Error, role, "binds neither", "bound_subject = \"rails\"\n      bound_audiences = "+
			"[\"https://b\"]\n      bound_claims = { scope = \"privileged\" }", `bound_audiences = ["https://b"]`),
		"any scope": defect(lint.Error, role, "by the pattern", `{ scope = "privileged" }`,
			"{ scope = \"*\" }\n      bound_claims_type = \"glob\""),
		"periodic":   defect(lint.Error, role, "renewed for ever", `token_ttl = "1h"`, `token_period = "1h"`),
		"long":       defect(lint.Error, role, "32 days", `token_ttl = "1h"`, `token_max_ttl = "769h"`),
		"any issuer": defect(lint.Error, method, "binds no issuer", `bound_issuer = "https://a"`, ""),
		"waits":      defect(lint.Error, method, "asks GitLab", "skip_jwks_validation = true", ""),
		"everything": defect(lint.Warning, policy, "does not deny sys/raw/*, sys/seal, sys/step-down",
			`\"+/sys/mounts\": {\"capabilities\": [\"read\"]}`, `\"*\": {\"capabilities\": [\"update\", \"sudo\"]}`),
		"values": defect(lint.Warning, policy, "reads the values", `\"+/sys/mounts\"`, `\"+/secrets/data/+\"`),
	})
	requireNone(t, run(t, write(t, servingText(sound(initialised), "")), lint.Options{}), "server/initialisation")
}

func TestSeededAudit(t *testing.T) {
	t.Parallel()
	device := func(kind, options string) map[string]string {
		return servingText(sound("audit \""+kind+"\" \"a\" {\n  options {\n"+options+"  }\n}\n"), "")
	}
	defect := func(words, kind, options string) seeded {
		return seeded{device(kind, options), "server/audit", lint.Error, serverMap, serverPath + ".audit", words}
	}
	inEmptyDir := device("file", "    file_path = \"/log/a\"\n")
	inEmptyDir[deployment] = strings.NewReplacer("volumeMounts: [", "volumeMounts: [{name: log, mountPath: /log}, ",
		"volumes: [", "volumes: [{name: log, emptyDir: {}}, ").Replace(inEmptyDir[deployment])
	claimed := device("file", "    file_path = \"/log/a\"\n")
	claimed[deployment] = strings.Replace(inEmptyDir[deployment], "emptyDir: {}",
		"persistentVolumeClaim: {claimName: '{{ .Values.logClaim }}'}", 1)
	claimed["values.yaml"], claimed["values.schema.json"] = small["values.yaml"]+"logClaim: a\n", `{"type": "object"}`
	const receiver, token = "    uri = \"http://a/api/v4/internal/secrets_manager/audit_logs\"\n",
		"    headers = \"{\\\"Gitlab-Openbao-Auth-Token\\\": [\\\"file:///c/t\\\"]}\"\n"
	requireSeeded(t, map[string]seeded{
		"no volume": defect("which is on no volume", "file", "    file_path = \"/log/a\"\n"),
		"nowhere":   defect("keeps nothing", "file", "    file_path = \"discard\"\n"),
		"emptyDir":  {inEmptyDir, "server/audit", lint.Error, serverMap, serverPath + ".audit", "in the emptyDir log"},
		"tested":    defect("stay sealed", "http", receiver+token),
		"no token":  defect("no header", "http", receiver+"    skip_test = \"true\"\n"),
	})
	for _, files := range []map[string]string{
		device("file", "    file_path = \"stdout\"\n"), claimed, device("http", receiver+token+"    skip_test = \"true\"\n"),
		device("http", "    uri = \"https://siem.example\"\n    skip_test = \"true\"\n"),
	} {
		requireNone(t, run(t, write(t, files), lint.Options{}), "server/audit")
	}
}

func TestSeededWaits(t *testing.T) {
	t.Parallel()
	const readiness = "readinessProbe:\n            httpGet: {path: /, port: api}"
	probes := func(text, retries string) map[string]string {
		files := servingText(strings.Replace(sound(""), "  connection_url", "  max_connect_retries = "+retries+
			"\n  connection_url", 1), "")
		require.Contains(t, files[deployment], readiness)
		files[deployment] = strings.Replace(files[deployment], readiness, readiness+text, 1)
		return files
	}
	warned := func(path, words, text string) seeded {
		return seeded{
			probes(text, "20"), "server/waits", lint.Warning, smallDeployment,
			"spec.template.spec.containers[0]." + path, words,
		}
	}
	const live = "\n          livenessProbe: {httpGet: {path: /, port: api}, timeoutSeconds: "
	job := probes("", "20")
	job[extra] = object("batch/v1", "Job", strings.Replace(
		"spec: {activeDeadlineSeconds: DEADLINE, template: {spec: {restartPolicy: Never, "+
			"automountServiceAccountToken: false, securityContext: {runAsNonRoot: true, seccompProfile: "+
			"{type: RuntimeDefault}}, "+
			"volumes: [{name: c, configMap: {name: '{{ .Release.Name | trunc 40 }}-server'}}], containers: [{name: a, image: "+
			"registry.example/a:1, volumeMounts: [{name: c, mountPath: /c}], "+
			"securityContext: {allowPrivilegeEscalation: false, "+
			"readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}}]}}}\n", "DEADLINE", "60", 1))
	requireSeeded(t, map[string]seeded{
		"no startup": warned("livenessProbe", "after 1m0s, while OpenBao waits up to 1m20s", live+"3, periodSeconds: 20}"),
		"startup": warned("startupProbe", "after 30s, while",
			"\n          startupProbe: {httpGet: {path: /, port: api}}"),
		"impatient":   warned("livenessProbe.timeoutSeconds", "is 1 s", live+"1, periodSeconds: 30}"),
		"slow to see": warned("readinessProbe", "needs 40s to fail", "\n            failureThreshold: 4"),
		"deadline": {
			job, "server/waits", lint.Error, "Job/openbao-extra", "spec.activeDeadlineSeconds",
			"less than the 1m20s",
		},
	})
	patient := probes(live+"3, periodSeconds: 20}\n          startupProbe: "+
		"{httpGet: {path: /, port: api}, periodSeconds: 1, "+
		"failureThreshold: 90}", "20")
	patient[extra] = strings.Replace(job[extra], "Seconds: 60", "Seconds: 90", 1)
	for _, files := range []map[string]string{patient, probes("", "0")} {
		requireNone(t, run(t, write(t, files), lint.Options{}), "server/waits")
	}
}

func TestSeededFiles(t *testing.T) {
	t.Parallel()
	certified := func(file string) string {
		return strings.Replace(sound(""), "tls_disable = true", "tls_cert_file = \""+file+"\"\n  tls_key_file = \"/c/k\"", 1)
	}
	listing := func(config string) map[string]string {
		files := servingText(config, "")
		files[deployment] = strings.Replace(files[deployment], "-server'}}]",
			"-server', items: [{key: server.hcl, path: k}, "+
				"{key: server.hcl, path: ca.crt}]}}]", 1)
		files[deployment] = strings.Replace(files[deployment], "port: api}", "port: api, scheme: HTTPS}", 1)
		return files
	}
	requireSeeded(t, map[string]seeded{
		"not an item": {
			listing(certified("/c/tls.crt")), "server/files", lint.Error, serverMap, serverPath + ".listener.tcp.tls_cert_file",
			"not among the items of volume config",
		},
		"on no volume": {
			listing(certified("/etc/tls.crt")), "server/files", lint.Warning, serverMap, serverPath +
				".listener.tcp.tls_cert_file",
			"names /etc/tls.crt, which is on no volume",
		},
		"seal": {
			servingText(sound("seal \"static\" {\n  current_key = \"file:///keys/a\"\n}\n"), ""), "server/files", lint.Warning,
			serverMap,
			serverPath + ".seal.static.current_key", "names /keys/a",
		},
		"no CA": {
			serving("postgres://u@db/x?sslmode=verify-full", ""), "server/files", lint.Warning, serverMap,
			serverPath + ".storage.postgresql.connection_url", "names no sslrootcert",
		},
		"CA elsewhere": {
			serving("postgres://u@db/x?connect_timeout=5&sslmode=verify-full&sslrootcert=%2Fd%2Fca.crt", ""), "server/files",
			lint.Warning, serverMap,
			serverPath + ".storage.postgresql.connection_url, sslrootcert", "names /d/ca.crt",
		},
	})
	requireNone(t, run(t, write(t, listing(certified("/c/k"))), lint.Options{}), "server/files")
}

func TestSeededLeaderTraffic(t *testing.T) {
	t.Parallel()
	service := func(name, active, more string) string {
		return strings.Replace(object("v1", "Service",
			"spec: {selector: {app: small, release: '{{ .Release.Name }}', openbao-active: '"+active+"'}, "+more+
				"ports: [{port: 8200, targetPort: api}]}\n"), "-extra", "-"+name, 1)
	}
	test := func(host string) string {
		return "---\n" + object("v1", "Pod", strings.Replace(pod("      command: [bao, status, '-address=http://openbao-"+
			host+
			":8200']\n"), "spec:\n", "  annotations: {helm.sh/hook: test}\nspec:\n  restartPolicy: Never\n", 1))
	}
	both := service("active", "true", "") + "---\n" + service("standby", "false", "")
	requireSeeded(t, map[string]seeded{
		"local": {
			add(service("extra", "true", "internalTrafficPolicy: Local, ")), "wiring/leader-traffic", lint.Error,
			"Service/openbao-extra", "spec.internalTrafficPolicy", "nodes without the leader",
		},
		"sticky": {
			add(service("extra", "true", "sessionAffinity: ClientIP, ")), "wiring/leader-traffic", lint.Warning,
			"Service/openbao-extra", "spec.sessionAffinity", "leads no more",
		},
		"test of standbys": {
			add(both + test("standby")), "wiring/leader-traffic", lint.Error, "Pod/openbao-extra", "spec", "asks standbys only",
		},
	})
	for _, text := range []string{
		both + test("active"),
		strings.Replace(service("extra", "x", "internalTrafficPolicy: Local, "),
			", openbao-active: 'x'", "", 1),
	} {
		requireNone(t, run(t, write(t, add(text)), lint.Options{}), "wiring/leader-traffic")
	}
}

func TestSeededPlacement(t *testing.T) {
	t.Parallel()
	spread := func(key string) map[string]string {
		return edit(t, deployment, "      containers:", "      topologySpreadConstraints: [{maxSkew: 1, topologyKey: "+key+
			", whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: small}}}]\n      containers:")
	}
	away := func(key string) map[string]string {
		return edit(t, deployment, "      containers:",
			"      affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: "+
				"[{weight: 1, podAffinityTerm: {topologyKey: "+key+
				", labelSelector: {matchLabels: {app: small}}}}]}}\n      containers:")
	}
	requireSeeded(t, map[string]seeded{
		"affinity": {
			away("kubernetes.io/host"), "wiring/placement", lint.Error, smallDeployment,
			"spec.template.spec.affinity.podAntiAffinity.topologyKey", "no node has",
		},
		"spread": {
			spread("failure-domain.beta.kubernetes.io/zone"), "wiring/placement", lint.Error, smallDeployment,
			"spec.template.spec.topologySpreadConstraints[0].topologyKey", "no node has",
		},
		"no domain": {
			spread("zone"), "wiring/placement", lint.Error, smallDeployment,
			"spec.template.spec.topologySpreadConstraints[0].topologyKey", "no node has",
		},
	})
	for _, files := range []map[string]string{
		away("kubernetes.io/hostname"), spread("topology.kubernetes.io/zone"),
		spread("corp.example/rack"),
	} {
		requireNone(t, run(t, write(t, files), lint.Options{}), "wiring/placement")
	}
}
