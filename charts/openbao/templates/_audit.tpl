{{/*
Audit devices, for the pods and (argument "file") for the bootstrap Job, which has none that needs somebody else.

OpenBao refuses to start with a device whose path it knows with other options. So a device's path here follows from its
options: a change takes the old device away and adds another one.
*/}}
{{- define "openbao.config.audit" -}}
{{- $devices := list }}
{{- if .root.Values.auditTpl }}
{{- range include "openbao.items" (list .root "auditTpl" .root.Values.auditTpl) | fromYamlArray }}
{{- if or $.remote (hasKey . "file") (eq (get . "type") "file") }}
{{- $devices = append $devices . }}
{{- end }}
{{- end }}
{{- else }}
{{- with .root.Values.config.audit.file }}
{{- if .enabled }}
{{- $path := ternary "stdout" (printf "file-%s" (sha256sum .path | trunc 8)) (eq .path "stdout") }}
{{- $devices = append $devices (dict "type" "file" "path" $path "options" (dict "file_path" .path)) }}
{{- end }}
{{- end }}
{{- if and .remote .root.Values.config.audit.http.enabled }}
{{- $devices = append $devices (include "openbao.config.audit.http" .root | fromJson) }}
{{- end }}
{{- end }}
{{- $devices | toRawJson }}
{{- end }}

{{- define "openbao.config.audit.http" -}}
{{- $a := .Values.config.audit.http }}
{{- $uri := required "config.audit.http.streamingUri is required when config.audit.http.enabled is true" (tpl $a.streamingUri .) }}
{{- if not (or (include "openbao.since" (list . "2.5.0")) (contains "gitlab" (include "openbao.tag" .))) }}
{{- fail (printf "config.audit.http needs OpenBao 2.5.0: %s has no http audit device and would stay sealed; raise image.tag, or say in openbaoVersion what the image holds" (include "openbao.version" .)) }}
{{- end }}
{{- if not (or (include "openbao.httpAuditSecret" .) .Values.extraVolumeMounts) }}
{{- fail "config.audit.http: no token; set secret, or httpAuditSecret.generate, or mount the file through extraVolumeMounts" }}
{{- end }}
{{- $headers := dict
  "Content-Type" (list "application/json")
  "Gitlab-Openbao-Auth-Token" (list (printf "file://%s" $a.authTokenPath)) }}
{{- $options := dict "uri" $uri "skip_test" "true" "headers" (toRawJson $headers) }}
{{- dict "type" "http" "path" (printf "gitlab_stream-%s" (toRawJson $options | sha256sum | trunc 8)) "options" $options | toRawJson }}
{{- end }}
