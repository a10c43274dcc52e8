{{/* Only the pods, and before the addresses, which may refer to them. */}}
{{- define "openbao.env.names" -}}
- name: BAO_K8S_POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: BAO_K8S_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}

{{- define "openbao.env" -}}
- name: OPENBAO_CONFIG_DIRECTORY
  value: /srv/openbao/config/
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.config.storage.postgresql.connection.password.secret }}
      key: {{ .Values.config.storage.postgresql.connection.password.key }}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: BAO_CLUSTER_ADDR
  value: {{ tpl .Values.config.clusterAddr . | quote }}
{{- with include "openbao.items" (list . "extraEnv" .Values.extraEnv) }}
{{ . }}
{{- end }}
{{- end }}

{{/* Only the pods, not the bootstrap Job. */}}
{{- define "openbao.env.server" -}}
- name: BAO_ADDR
  value: {{ include "openbao.scheme" . }}://127.0.0.1:{{ .Values.config.apiPort }}
- name: BAO_API_ADDR
  value: {{ tpl .Values.config.apiAddr . | quote }}
{{- with .Values.config.leaseRevocationWorkers }}
- name: BAO_LEASE_REVOCATION_WORKERS
  value: {{ . | quote }}
{{- end }}
{{- with include "openbao.env.tls" . | trim }}
# Only "bao" commands inside this pod read it.
{{ . }}
{{- end }}
{{- end }}
