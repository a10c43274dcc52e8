{{- define "openbao.env" -}}
- name: OPENBAO_CONFIG_DIRECTORY
  value: /srv/openbao/config/
- name: BAO_ADDR
  value: {{ include "openbao.scheme" . }}://127.0.0.1:{{ .Values.config.apiPort }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.config.storage.postgresql.connection.password.secret }}
      key: {{ .Values.config.storage.postgresql.connection.password.key }}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: BAO_K8S_POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: BAO_K8S_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: BAO_API_ADDR
  value: {{ tpl .Values.config.apiAddr . | quote }}
- name: BAO_CLUSTER_ADDR
  value: {{ tpl .Values.config.clusterAddr . | quote }}
{{- if not .Values.config.tlsDisable }}
# The loopback address is in no certificate; only "bao" commands inside this pod read this.
- name: BAO_SKIP_VERIFY
  value: "true"
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

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
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "openbao.volumes" -}}
- name: config
  configMap:
    name: {{ include "openbao.fullname" . }}-config
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
{{- with .Values.extraVolumes }}
{{ toYaml . }}
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

{{- define "openbao.probe" -}}
httpGet:
  path: /v1/sys/health?standbyok=true
  port: api
  scheme: {{ include "openbao.scheme" .root | upper }}
{{- range $k, $v := .probe }}
{{ $k }}: {{ $v }}
{{- end }}
{{- end }}

{{- define "openbao.affinity" -}}
{{- if .Values.affinity }}
{{- toYaml .Values.affinity }}
{{- else if ne .Values.podAntiAffinityPreset "none" }}
podAntiAffinity:
{{- if eq .Values.podAntiAffinityPreset "hard" }}
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels: {{- include "openbao.selectorLabels" . | nindent 10 }}
{{- else }}
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- include "openbao.selectorLabels" . | nindent 12 }}
{{- end }}
{{- end }}
{{- end }}
