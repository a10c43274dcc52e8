{{- define "gitlab-stub.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "gitlab-stub.fullname" -}}
{{- $name := include "gitlab-stub.name" . }}
{{- $full := .Values.fullnameOverride | default (ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name)) }}
{{- $full | trunc 58 | trimSuffix "-" }}
{{- end }}

{{- define "gitlab-stub.selectorLabels" -}}
app.kubernetes.io/name: {{ include "gitlab-stub.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gitlab-stub.labels" -}}
{{ include "gitlab-stub.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "gitlab-stub.issuer" -}}
{{- $own := printf "http://%s.%s.svc.%s:%d" (include "gitlab-stub.fullname" .) .Release.Namespace .Values.clusterDomain (int .Values.service.port) }}
{{- .Values.issuer | default $own }}
{{- end }}
