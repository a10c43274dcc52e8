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
{{- printf "%s%s" (.Values.image.tag | default .Chart.AppVersion) .Values.global.image.tagSuffix }}
{{- end }}

{{- define "openbao.image" -}}
{{- printf "%s:%s" .Values.image.repository (include "openbao.tag" .) }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* The kubelet puts a pod's address in place of $(POD_IP); a URL wants that of IPv6 in brackets. */}}
{{- define "openbao.podIP" -}}
{{- ternary "[$(POD_IP)]" "$(POD_IP)" (eq .Values.config.podIPFamily "IPv6") }}
{{- end }}

{{/* The numbers of OpenBao's version alone: tags such as v2.4.4-gitlab2 would count as older than 2.4.4. */}}
{{- define "openbao.version" -}}
{{- $pattern := "[0-9]+[.][0-9]+[.][0-9]+" }}
{{- regexFind $pattern .Values.openbaoVersion | default (regexFind $pattern (include "openbao.tag" .)) | default .Chart.AppVersion }}
{{- end }}

{{/* Arguments: root, version. Empty when OpenBao is older. */}}
{{- define "openbao.since" -}}
{{- if semverCompare (printf ">=%s" (index . 1)) (include "openbao.version" (index . 0)) }}true{{ end }}
{{- end }}

{{/*
Empty when lookup finds nothing because there is no cluster: with "helm template" and what builds on it, such as Argo CD.
A list from a cluster has a kind, even when it is empty. Helm itself lists a namespace's Secrets to find its releases.
*/}}
{{- define "openbao.cluster" -}}
{{- if lookup "v1" "Secret" .Release.Namespace "" }}true{{ end }}
{{- end }}

{{- define "openbao.serviceAccountName" -}}
{{- $made := ternary (include "openbao.fullname" .) "" .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default $made | required "serviceAccount.name is required when serviceAccount.create is false: the account that may label the pods; \"default\" would be every pod's" }}
{{- end }}

{{- define "openbao.scheme" -}}
{{- ternary "http" "https" .Values.config.tlsDisable }}
{{- end }}

{{/* How "bao" checks the listener's certificate: the very one, by a name that it has. */}}
{{- define "openbao.env.tls" -}}
{{- if not .Values.config.tlsDisable }}
{{- with .Values.config.tlsServerName }}
- name: BAO_CACERT
  value: /srv/openbao/tls/tls.crt
- name: BAO_TLS_SERVER_NAME
  value: {{ . | quote }}
{{- else }}
- name: BAO_SKIP_VERIFY
  value: "true"
{{- end }}
{{- end }}
{{- end }}

{{- define "openbao.active" -}}
{{ include "openbao.fullname" . }}-active
{{- end }}

{{/* The Secrets below are mounted by the chart. Empty: whoever set generate to false brings the file through extraVolumeMounts. */}}
{{- define "openbao.staticUnsealSecret" -}}
{{- $made := ternary (printf "%s-static-unseal" (include "openbao.fullname" .)) "" .Values.staticUnsealSecret.generate }}
{{- .Values.config.unseal.static.currentKeySecret | default $made }}
{{- end }}

{{- define "openbao.httpAuditSecret" -}}
{{- $made := ternary (printf "%s-http-audit" (include "openbao.fullname" .)) "" .Values.httpAuditSecret.generate }}
{{- .Values.config.audit.http.secret | default $made }}
{{- end }}

{{- define "openbao.staticUnseal.generated" -}}
{{- with .Values.config.unseal.static }}
{{- if and .enabled $.Values.staticUnsealSecret.generate (not .currentKeySecret) }}true{{ end }}
{{- end }}
{{- end }}

{{- define "openbao.httpAudit.generated" -}}
{{- with .Values.config.audit.http }}
{{- if and .enabled $.Values.httpAuditSecret.generate (not .secret) }}true{{ end }}
{{- end }}
{{- end }}

{{/* A comment, because "helm template" and Argo CD print no notes: which generated Secrets are not among what they print. */}}
{{- define "openbao.secretsToMake" -}}
{{- if not (include "openbao.cluster" .) }}
{{- $ask := "No Secret %s here: without a cluster nothing tells whether it exists, and another one would replace it.\n# The pods wait for it. Make it once, elsewhere: %s in key %s. Or name yours in %s." }}
{{- if include "openbao.staticUnseal.generated" . }}
# {{ printf $ask (include "openbao.staticUnsealSecret" .) "32 random bytes" .Values.config.unseal.static.currentKeySecretKey "config.unseal.static.currentKeySecret" }}
{{- end }}
{{- if include "openbao.httpAudit.generated" . }}
# {{ printf $ask (include "openbao.httpAuditSecret" .) "the token that GitLab expects" .Values.config.audit.http.secretKey "config.audit.http.secret" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "openbao.tlsSecret" -}}
{{- $ingress := "" }}
{{- if and .Values.ingress.enabled .Values.ingress.tls.enabled }}
{{- $ingress = include "openbao.ingress.tlsSecret" . }}
{{- end }}
{{- required "tlsSecretName is required when config.tlsDisable is false and there is no Ingress with TLS" (.Values.tlsSecretName | default $ingress) }}
{{- end }}

{{/* Another name than the pods': no selector of the release may match the Job's pod. */}}
{{- define "openbao.bootstrap.labels" -}}
app.kubernetes.io/name: {{ include "openbao.name" . }}-bootstrap
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Whose answer shows that initialisation is complete: Rails' role, unless blocks of one's own do not make it. */}}
{{- define "openbao.bootstrap.login" -}}
{{- if contains "auth/gitlab_rails_jwt/role/app" (include "openbao.config.initialize" .) }}auth/gitlab_rails_jwt/login{{ end }}
{{- end }}

{{- define "openbao.bootstrap.enabled" -}}
{{- if and .Values.config.initialize.enabled .Values.bootstrap.enabled }}true{{ end }}
{{- end }}

{{/* Arguments: root, name of the value, the value: a list, or a template of a YAML list as GitLab's chart has it. */}}
{{- define "openbao.items" -}}
{{- $text := index . 2 }}
{{- if not (kindIs "string" $text) }}
{{- $text = toYaml $text }}
{{- end }}
{{- $items := tpl $text (index . 0) | fromYamlArray }}
{{- range $items }}
{{- if not (kindIs "map" .) }}
{{- fail (printf "%s has to be a YAML list of objects: %v" (index $ 1) .) }}
{{- end }}
{{- end }}
{{- if $items }}
{{- toYaml $items }}
{{- end }}
{{- end }}
