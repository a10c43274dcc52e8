{{- define "openbao.volumeMounts" -}}
- name: config
  mountPath: /srv/openbao/config
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- with .Values.config.unseal.static }}
{{- if .enabled }}
- name: static-unseal
  mountPath: {{ dir .currentKeyPath }}
  readOnly: true
{{- if .previousKeyId }}
- name: static-unseal-previous
  mountPath: {{ dir .previousKeyPath }}
  readOnly: true
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
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Only the pods, not the bootstrap Job. */}}
{{- define "openbao.volumeMounts.server" -}}
{{- if .Values.config.audit.http.enabled }}
- name: http-audit
  mountPath: {{ dir .Values.config.audit.http.authTokenPath }}
  readOnly: true
{{- end }}
{{- if not .Values.config.tlsDisable }}
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
{{ include "openbao.keyVolume" (dict "name" "static-unseal" "secret" (include "openbao.staticUnsealSecret" $) "key" .currentKeySecretKey "file" .currentKeyPath) }}
{{- if .previousKeyId }}
{{ include "openbao.keyVolume" (dict "name" "static-unseal-previous" "secret" (required "config.unseal.static.previousKeySecret is required with previousKeyId" .previousKeySecret) "key" .previousKeySecretKey "file" .previousKeyPath) }}
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
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Only the pods, not the bootstrap Job. */}}
{{- define "openbao.volumes.server" -}}
- name: config
  configMap:
    name: {{ include "openbao.fullname" . }}-config
{{- with .Values.config.audit.http }}
{{- if .enabled }}
{{ include "openbao.keyVolume" (dict "name" "http-audit" "secret" (include "openbao.httpAuditSecret" $) "key" .secretKey "file" .authTokenPath) }}
{{- end }}
{{- end }}
{{- if not .Values.config.tlsDisable }}
- name: tls
  secret:
    secretName: {{ required "tlsSecretName is required when config.tlsDisable is false" .Values.tlsSecretName }}
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
