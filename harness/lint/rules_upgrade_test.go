package lint_test

import (
	"testing"

	"gitlab.com/steamer/steamer/harness/lint"
)

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
	})
}
