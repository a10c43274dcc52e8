{{- define "openbao.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The longest suffix appended to the full name is 14 characters ("-static-unseal"). */}}
{{- define "openbao.fullname" -}}
{{- $name := include "openbao.name" . }}
{{- $full := .Values.fullnameOverride }}
{{- if not $full }}
{{- $full = ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- end }}
{{- $full | trunc 49 | trimSuffix "-" }}
{{- end }}

{{- define "openbao.selectorLabels" -}}
app.kubernetes.io/name: {{ include "openbao.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "openbao.labels" -}}
{{ include "openbao.selectorLabels" . }}
app.kubernetes.io/version: {{ include "openbao.tag" . | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "openbao.tag" -}}
{{- .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "openbao.image" -}}
{{- printf "%s:%s" .Values.image.repository (include "openbao.tag" .) }}
{{- end }}

{{- define "openbao.serviceAccountName" -}}
{{- $made := ternary (include "openbao.fullname" .) "default" .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default $made }}
{{- end }}

{{- define "openbao.scheme" -}}
{{- ternary "http" "https" .Values.config.tlsDisable }}
{{- end }}

{{- define "openbao.staticUnsealSecret" -}}
{{- .Values.config.unseal.static.currentKeySecret | default (printf "%s-static-unseal" (include "openbao.fullname" .)) }}
{{- end }}

{{- define "openbao.httpAuditSecret" -}}
{{- .Values.config.audit.http.secret | default (printf "%s-http-audit" (include "openbao.fullname" .)) }}
{{- end }}

{{/* Another name than the pods': no selector of the release may match the Job's pod. */}}
{{- define "openbao.bootstrap.labels" -}}
app.kubernetes.io/name: {{ include "openbao.name" . }}-bootstrap
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
