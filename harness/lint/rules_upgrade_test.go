package lint_test

import (
	"strings"
	"testing"

	"gitlab.com/steamer/steamer/harness/lint"
)

const statefulSet = `spec:
  serviceName: a
  selector: {matchLabels: {app: extra, release: '{{ .Release.Name }}'}}
  template:
    metadata: {labels: {app: extra, release: '{{ .Release.Name }}'}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: extra
          image: registry.example/extra:1.0
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
  volumeClaimTemplates: [{metadata: {name: data, labels: {a: b, CLAIM}}, spec: {}}]
`

// job is the spec of a Job.
func job(image string) string {
	return "spec:\n  template:\n    " + strings.ReplaceAll(
		strings.TrimSpace(strings.Replace(pod(""), "registry.example/extra:1.0", image, 1)),
		"\n", "\n    ") + "\n      restartPolicy: Never\n"
}

// keptByLookup is a Secret that is generated once.
const keptByLookup = "{{- $name := printf \"%s-extra\" (.Release.Name | trunc 40) }}\n" + `apiVersion: v1
kind: Secret
metadata: {name: '{{ $name }}'}
data: {key: '{{ dig "data" "key" (randAlpha 9 | b64enc) (lookup "v1" "Secret" .Release.Namespace $name) }}'}
`

// sealed is the small chart with a generated key of the seal.
func sealed(stanza, env string) map[string]string {
	files := servingText(strings.Replace(goodServer, "URL", verifiedURL, 1)+"seal \"static\" {\n  "+stanza+"\n}\n", env)
	files[extra] = strings.Replace(keptByLookup, "'{{ $name }}'}",
		"'{{ $name }}', annotations: {helm.sh/resource-policy: keep}}", 1)
	return files
}

// TestSealKeyWithoutLookup: a chart that does not render the key where lookup finds no cluster is
// not warned of.
func TestSealKeyWithoutLookup(t *testing.T) {
	t.Parallel()
	files := sealed(`current_key = "file:///c/key"`, "")
	files[extra] = "{{- if lookup \"v1\" \"Secret\" .Release.Namespace \"\" }}\n" +
		strings.ReplaceAll(keptByLookup, "-extra", "-unseal") + "{{- end }}\n"
	report := run(t, write(t, files), lint.Options{})
	requireFinding(t, report, "upgrade/secrets", lint.Info, "Secret/openbao-unseal", "", "lookup finds it")
}

func TestSeededUpgrade(t *testing.T) {
	t.Parallel()
	requireSeeded(t, map[string]seeded{
		"random": {
			edit(t, deployment, "      labels: {app: small",
				"      annotations: {roll: '{{ randAlpha 9 }}'}\n      labels: {app: small"),
			"upgrade/deterministic", lint.Error, "Deployment/openbao-small", "spec.template.metadata.annotations.roll",
			"differs between two renders",
		},
		"random secret": {
			add(object("v1", "Secret", "stringData: {key: '{{ randAlpha 9 }}'}\n")), "upgrade/secrets", lint.Error,
			"Secret/openbao-extra",
			"stringData.key", "generated again at each upgrade",
		},
		"secret kept by lookup": {
			add("{{- $name := printf \"%s-extra\" (.Release.Name | trunc 40) }}\n" + object("v1", "Secret",
				"data: {key: '{{ dig \"data\" \"key\" (randAlpha 9 | b64enc) (lookup \"v1\" \"Secret\" .Release.Namespace "+
					"$name) }}'}\n")),
			"upgrade/secrets", lint.Info, "Secret/openbao-extra", "", "lookup finds it",
		},
		"secret deleted": {
			add("{{- if not (lookup \"v1\" \"Secret\" .Release.Namespace (printf \"%s-extra\" .Release.Name)) }}\n" +
				object("v1", "Secret",
					"stringData: {key: '{{ randAlpha 9 }}'}\n") + "{{- end }}\n"),
			"upgrade/secrets", lint.Error, "Secret/openbao-extra", "", "Helm deletes it",
		},
		"upgrade differs": {
			edit(t, "templates/config.yaml", "{{ .Values.greeting }}", "{{ .Values.greeting }}{{ .Release.IsUpgrade }}"),
			"upgrade/stable", lint.Error, "ConfigMap/openbao-small", "data.greeting", "an upgrade changes it",
		},
		"upgrade removes": {
			add("{{ if .Release.IsInstall }}\n" + object("v1", "ConfigMap", "") + "{{ end }}"), "upgrade/stable", lint.Error,
			"ConfigMap/openbao-extra", "", "Helm deletes it",
		},
		"upgrade adds": {
			add("{{ if .Release.IsUpgrade }}\n" + object("v1", "ConfigMap", "") + "{{ end }}"), "upgrade/stable", lint.Error,
			"ConfigMap/openbao-extra", "", "only an upgrade",
		},
		"upgrade breaks": {
			add("{{ if .Release.IsUpgrade }}{{ fail \"no upgrades\" }}{{ end }}"), "upgrade/stable", lint.Error, "", "",
			"no upgrades",
		},
		"dead value": {
			valued("unused", "1", "{{/* nothing */}}"), "values/dead", lint.Warning, "", "unused",
			"changes nothing",
		},
		"unexercised": {small, "values/unexercised", lint.Info, "", "", "3 of 3 keys"},
		"version in a selector": {
			with(map[string]string{deployment: strings.ReplaceAll(small[deployment], "app: small,",
				"app: small, v: 'v{{ .Chart.Version }}',")}),
			"upgrade/immutable", lint.Error, "Deployment/openbao-small", "spec.selector.matchLabels.v", "refuses to change it",
		},
		"application's version in a selector": {
			with(map[string]string{deployment: strings.ReplaceAll(small[deployment], "app: small,",
				"app: small, v: 'v{{ .Chart.AppVersion }}',")}),
			"upgrade/immutable", lint.Error, "Deployment/openbao-small", "spec.selector.matchLabels.v", "refuses to change it",
		},
		"version in a claim": {
			add(object("apps/v1", "StatefulSet", strings.Replace(statefulSet, "CLAIM", "v: 'v{{ .Chart.Version }}'", 1))),
			"upgrade/immutable", lint.Error, "StatefulSet/openbao-extra", "spec.volumeClaimTemplates.0.metadata.labels.v",
			"refuses to change it",
		},
		"version in serviceName": {
			add(object("apps/v1", "StatefulSet", strings.Replace(statefulSet, "serviceName: a",
				"serviceName: 'a-{{ .Chart.Version | replace \".\" \"-\" }}'", 1))),
			"upgrade/immutable", lint.Error, "StatefulSet/openbao-extra", "spec.serviceName", "refuses to change it",
		},
		"version in a Job": {
			add(object("batch/v1", "Job", job("'extra:{{ .Chart.AppVersion }}'"))), "upgrade/immutable", lint.Error,
			"Job/openbao-extra", "spec.template.spec.containers.0.image", "refuses to change it",
		},
		"version in immutable data": {
			add(object("v1", "ConfigMap", "immutable: true\ndata: {a: '{{ .Chart.Version }}'}\n")), "upgrade/immutable",
			lint.Error, "ConfigMap/openbao-extra", "data.a", "refuses to change it",
		},
		"version in an immutable Secret": {
			add(object("v1", "Secret", "immutable: true\nstringData: {a: '{{ .Chart.Version }}'}\n")), "upgrade/immutable",
			lint.Error, "Secret/openbao-extra", "stringData.a", "refuses to change it",
		},
		"version in a claim's source": {
			add(object("v1", "PersistentVolumeClaim", "spec: {dataSource: {kind: A, name: 'a-{{ .Chart.Version }}'}}\n")),
			"upgrade/immutable", lint.Error, "PersistentVolumeClaim/openbao-extra", "spec.dataSource.name",
			"refuses to change it",
		},
		"version in a priority": {
			add("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: '{{ .Release.Namespace }}-" +
				"{{ .Release.Name }}'}\nvalue: {{ (semver .Chart.Version).Major }}\n"), "upgrade/immutable", lint.Error,
			"PriorityClass/steamer-check-openbao", "value", "refuses to change it",
		},
		"version of a sub-chart": {
			with(map[string]string{
				"Chart.yaml":            small["Chart.yaml"] + "dependencies: [{name: sub, version: 1.x.x}]\n",
				"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "values.schema.json": `{"type": "object"}`,
				"charts/sub/templates/a.yaml": object("v1", "ConfigMap", "immutable: true\ndata: {a: '{{ .Chart.Version }}'}\n"),
			}), "upgrade/immutable", lint.Error, "ConfigMap/openbao-extra", "data.a", "refuses to change it",
		},
		"version in a StatefulSet's name": {
			add(strings.Replace(object("apps/v1", "StatefulSet", strings.Replace(statefulSet, "CLAIM", "c: d", 1)), "-extra\n",
				"-{{ .Chart.Version | replace \".\" \"-\" }}\n", 1)), "upgrade/immutable", lint.Error,
			"StatefulSet/openbao-1-0-0", "metadata.name", "without the data",
		},
		"date": {
			add(object("v1", "ConfigMap", "data: {a: '{{ now | date \"2006-01\" }}'}\n")), "upgrade/deterministic", lint.Error,
			"ConfigMap/openbao-extra", "data.a", "differs between two renders",
		},
		"date of a value": {
			valued("stamp", `"{{ now.Year }}"`, object("v1", "ConfigMap", "data: {a: '{{ tpl .Values.stamp . }}'}\n")),
			"upgrade/deterministic", lint.Error, "ConfigMap/openbao-extra", "data.a", "differs between two renders",
		},
		"dated secret": {
			add(object("v1", "Secret", "stringData: {key: '{{ now | date \"2006\" }}'}\n")), "upgrade/secrets", lint.Error,
			"Secret/openbao-extra", "stringData.key", "generated again at each upgrade",
		},
		"another version breaks": {
			add("{{ if ne .Chart.Version \"1.0.0\" }}{{ fail \"no upgrades\" }}{{ end }}"), "upgrade/immutable", lint.Error, "",
			"",
			"no upgrades",
		},
		"seal key by its stanza": {
			sealed(`current_key = "env://KEY"`, "            - {name: KEY, valueFrom: {secretKeyRef: {name: '{{ .Release.Name | "+
				"trunc 40 }}-extra', key: key}}}\n"),
			"upgrade/secrets", lint.Warning, "Secret/openbao-extra", "", "holds the seal's key",
		},
		"seal key by all variables of its Secret": {
			func() map[string]string {
				files := sealed(`current_key = "env://key"`, "")
				files[deployment] = strings.Replace(files[deployment], "          env:\n",
					"          envFrom: [{secretRef: {name: '{{ .Release.Name | trunc 40 }}-extra'}}]\n          env:\n", 1)
				return files
			}(), "upgrade/secrets", lint.Warning, "Secret/openbao-extra", "", "holds the seal's key",
		},
		"seal key by its variable": {
			sealed("", "            - {name: BAO_STATIC_SEAL_CURRENT_KEY, valueFrom: {secretKeyRef: {name: '{{ .Release.Name | "+
				"trunc 40 }}-extra', key: key}}}\n"),
			"upgrade/secrets", lint.Warning, "Secret/openbao-extra", "", "holds the seal's key",
		},
		"seal key that goes with the release": {
			func() map[string]string {
				files := sealed("", "            - {name: BAO_STATIC_SEAL_CURRENT_KEY, valueFrom: "+
					"{secretKeyRef: {name: '{{ .Release.Name | "+
					"trunc 40 }}-extra', key: key}}}\n")
				files[extra] = keptByLookup
				return files
			}(), "upgrade/secrets", lint.Error, "Secret/openbao-extra", "", "helm uninstall deletes it",
		},
	})
}

// TestNotImmutable: what Kubernetes lets change, and what Helm creates again, may hold the version;
// and what names the word now asks for no time.
func TestNotImmutable(t *testing.T) {
	t.Parallel()
	hook := func(policy string) string {
		return strings.Replace(object("batch/v1", "Job", job("'extra:{{ .Chart.AppVersion }}'")), "-extra\n",
			"-"+policy+"\n  annotations: {helm.sh/hook: post-upgrade, helm.sh/hook-delete-policy: "+policy+"}\n", 1)
	}
	report := run(t, write(t, add(strings.Join([]string{
		hook("hook-succeeded"), hook("before-hook-creation"),
		object("batch/v1", "CronJob", "spec: {schedule: '@daily', jobTemplate: {metadata: {labels: "+
			"{a: 'v{{ .Chart.Version }}'}}}}\n"),
		object("v1", "PersistentVolumeClaim", "spec: {resources: {requests: {storage: "+
			"'{{ (semver .Chart.Version).Major }}Gi'}}}\n"),
		object("v1", "ConfigMap", "immutable: false\ndata: {a: '{{ .Chart.Version }}', "+
			"b: 'now {{ \"now\" }} {{ (dict \"now\" 1).now }}'}\n"),
		"{{ if .Release.IsInstall }}\n" + strings.Replace(object("v1", "PersistentVolumeClaim", "spec: {}\n"), "-extra",
			"-once", 1) + "{{ end }}\n",
		strings.Replace(object("v1", "Secret", "immutable: true\ndata: {a: '{{ .Chart.Version | b64enc }}'}\n"), "-extra\n",
			"-{{ .Chart.Version }}\n", 1),
	}, "---\n"))), lint.Options{})
	requireNone(t, report, "upgrade/immutable")
	requireNone(t, report, "upgrade/deterministic")
}
