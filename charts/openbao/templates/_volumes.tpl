{{- define "openbao.volumeMounts" -}}
- name: config
  mountPath: /srv/openbao/config
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- /* Single files, so that both keys, and keys brought through extraVolumeMounts, may lie in one directory. */}}
{{- with .Values.config.unseal.static }}
{{- if .enabled }}
{{- if include "openbao.staticUnsealSecret" $ }}
- name: static-unseal
  mountPath: {{ .currentKey }}
  subPath: {{ base .currentKey }}
  readOnly: true
{{- else if not $.Values.extraVolumeMounts }}
{{- fail "config.unseal.static: no key; set currentKeySecret, or staticUnsealSecret.generate, or mount the file through extraVolumeMounts" }}
{{- end }}
{{- if and .previousKeyId .previousKeySecret }}
- name: static-unseal-previous
  mountPath: {{ .previousKey }}
  subPath: {{ base .previousKey }}
  readOnly: true
{{- else if and .previousKeyId (not $.Values.extraVolumeMounts) }}
{{- fail "config.unseal.static.previousKeySecret is required with previousKeyId, unless the file is mounted through extraVolumeMounts" }}
{{- end }}
{{- end }}
{{- end }}
{{- if include "openbao.postgresql.caMounted" . }}
- name: postgresql-ca
  mountPath: /srv/openbao/postgresql/ca
  readOnly: true
{{- end }}
{{- if .Values.config.storage.postgresql.connection.sslClientCert.secret }}
- name: postgresql-client
  mountPath: /srv/openbao/postgresql/client
  readOnly: true
{{- end }}
{{- with include "openbao.items" (list . "extraVolumeMounts" .Values.extraVolumeMounts) }}
{{ . }}
{{- end }}
{{- end }}

{{/* Only the pods, not the bootstrap Job. */}}
{{- define "openbao.volumeMounts.server" -}}
{{- if include "openbao.httpAudit.mounted" . }}
- name: http-audit
  mountPath: {{ dir .Values.config.audit.http.authTokenPath }}
  readOnly: true
{{- end }}
{{- if include "openbao.tls.mounted" . }}
- name: tls
  mountPath: /srv/openbao/tls
  readOnly: true
{{- end }}
{{- end }}

{{- define "openbao.volumes" -}}
- name: tmp
  emptyDir: {}
{{- with .Values.config.unseal.static }}
{{- if .enabled }}
{{- with include "openbao.staticUnsealSecret" $ }}
{{ include "openbao.keyVolume" (dict "name" "static-unseal" "secret" . "key" $.Values.config.unseal.static.currentKeySecretKey "file" $.Values.config.unseal.static.currentKey) }}
{{- end }}
{{- if and .previousKeyId .previousKeySecret }}
{{ include "openbao.keyVolume" (dict "name" "static-unseal-previous" "secret" .previousKeySecret "key" .previousKeySecretKey "file" .previousKey) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.config.storage.postgresql.connection }}
{{- if .sslRootCert.secret }}
{{ include "openbao.keyVolume" (dict "name" "postgresql-ca" "secret" .sslRootCert.secret "key" .sslRootCert.key "file" .sslRootCert.key) }}
{{- else if .sslRootCert.configMap }}
- name: postgresql-ca
  configMap:
    name: {{ .sslRootCert.configMap }}
{{- end }}
{{- if .sslClientCert.secret }}
- name: postgresql-client
  secret:
    secretName: {{ .sslClientCert.secret }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- with include "openbao.items" (list . "extraVolumes" .Values.extraVolumes) }}
{{ . }}
{{- end }}
{{- end }}

{{/* Only the pods, not the bootstrap Job. */}}
{{- define "openbao.volumes.server" -}}
- name: config
  configMap:
    name: {{ include "openbao.fullname" . }}-config
{{- if include "openbao.httpAudit.mounted" . }}
{{- with .Values.config.audit.http }}
{{ include "openbao.keyVolume" (dict "name" "http-audit" "secret" (include "openbao.httpAuditSecret" $) "key" .secretKey "file" .authTokenPath) }}
{{- end }}
{{- end }}
{{- if include "openbao.tls.mounted" . }}
- name: tls
  secret:
    secretName: {{ include "openbao.tlsSecret" . }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{/* One key of a Secret as one file; group-readable through fsGroup, not world-readable. */}}
{{- define "openbao.keyVolume" -}}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      - key: {{ .key }}
        path: {{ base .file }}
{{- end }}

{{/*
What OpenBao reads from your Secrets once, at its start; lookup sees none without a cluster, and then there is no
checksum. Salted with the Secret's uid, so that the pods' annotation does not help to guess a password. The generated
Secrets are left out: they never change, and are not there yet when an installation is rendered.
*/}}
{{- define "openbao.secretsChecksum" -}}
{{- $c := .Values.config.storage.postgresql.connection }}
{{- $static := .Values.config.unseal.static }}
{{- $names := list $c.password.secret $c.sslRootCert.secret $c.sslClientCert.secret }}
{{- if $static.enabled }}
{{- $names = append $names $static.currentKeySecret }}
{{- $names = append $names (ternary $static.previousKeySecret "" (ne $static.previousKeyId "")) }}
{{- end }}
{{- if .Values.config.audit.http.enabled }}
{{- $names = append $names .Values.config.audit.http.secret }}
{{- end }}
{{- if include "openbao.tls.mounted" . }}
{{- $names = append $names (include "openbao.tlsSecret" .) }}
{{- end }}
{{- $found := dict }}
{{- range compact $names }}
{{- with lookup "v1" "Secret" $.Release.Namespace . }}
{{- $_ := set $found .metadata.name (list .metadata.uid .data) }}
{{- end }}
{{- end }}
{{- if $found }}
{{- $found | toRawJson | sha256sum }}
{{- end }}
{{- end }}

{{- define "openbao.httpAudit.mounted" -}}
{{- if and .Values.config.audit.http.enabled (include "openbao.httpAuditSecret" .) }}true{{ end }}
{{- end }}

{{/* Either listener may serve TLS alone. */}}
{{- define "openbao.tls.mounted" -}}
{{- $metrics := and (include "openbao.metrics.enabled" .) (eq (include "openbao.metrics.scheme" .) "https") }}
{{- if or (not .Values.config.tlsDisable) $metrics }}true{{ end }}
{{- end }}
