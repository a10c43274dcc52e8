{{/*
config.json is built as data and printed once, so no value can break its syntax.

"openbao.config" is for the pods. "openbao.config.bootstrap" is for the Job that initialises an empty
database before there are pods: it answers on loopback only, registers nowhere and carries the
initialize blocks, which the pods then do without. It has no http audit device, because GitLab may not be up yet.
*/}}
{{- define "openbao.config" -}}
{{- $c := .Values.config }}
{{- $config := include "openbao.config.common" . | fromJson }}
{{- $_ := set $config "listener" (include "openbao.config.listeners" . | fromJsonArray) }}
{{- $_ := set $config "telemetry" (include "openbao.config.telemetry" . | fromJson) }}
{{- if $c.serviceRegistration.enabled }}
{{- $_ := set $config "service_registration" (dict "kubernetes" dict) }}
{{- end }}
{{- if and $c.initialize.enabled (not .Values.bootstrap.enabled) }}
{{- $_ := set $config "initialize" (include "openbao.config.initialize" . | fromJsonArray) }}
{{- end }}
{{- $devices := include "openbao.config.audit.file" . | fromJsonArray }}
{{- with concat $devices (include "openbao.config.audit.http" . | fromJsonArray) }}
{{- $_ := set $config "audit" . }}
{{- end }}
{{- include "openbao.config.print" (mergeOverwrite $config (deepCopy $c.extra)) }}
{{- end }}

{{- define "openbao.config.bootstrap" -}}
{{- $config := include "openbao.config.common" . | fromJson }}
{{- $listener := dict
  "address" (printf "127.0.0.1:%d" (int .Values.config.apiPort))
  "cluster_address" (printf ":%d" (int .Values.config.clusterPort))
  "tls_disable" true }}
{{- $_ := set $config "listener" (list (dict "tcp" $listener)) }}
{{- $_ := set $config "initialize" (include "openbao.config.initialize" . | fromJsonArray) }}
{{- with include "openbao.config.audit.file" . | fromJsonArray }}
{{- $_ := set $config "audit" . }}
{{- end }}
{{- include "openbao.config.print" $config }}
{{- end }}

{{- define "openbao.config.common" -}}
{{- $c := .Values.config }}
{{- $config := dict
  "ui" $c.ui
  "log_level" $c.logLevel
  "log_format" $c.logFormat
  "log_requests_level" $c.logRequestsLevel
  "cache_size" (int $c.cacheSize)
  "storage" (dict "postgresql" (include "openbao.config.postgresql" . | fromJson)) }}
{{- if $c.defaultMaxRequestDuration }}
{{- $_ := set $config "default_max_request_duration" (printf "%ds" (int $c.defaultMaxRequestDuration)) }}
{{- end }}
{{- if $c.unseal.static.enabled }}
{{- $_ := set $config "seal" (dict "static" (include "openbao.config.static" . | fromJson)) }}
{{- end }}
{{- $config | toRawJson }}
{{- end }}

{{/* toPrettyJson escapes for HTML; undone, so that URLs stay readable. */}}
{{- define "openbao.config.print" -}}
{{- . | toPrettyJson | replace "\\u0026" "&" | replace "\\u003c" "<" | replace "\\u003e" ">" }}
{{- end }}

{{- define "openbao.config.listeners" -}}
{{- $c := .Values.config }}
{{- $api := dict
  "address" (printf ":%d" (int $c.apiPort))
  "cluster_address" (printf ":%d" (int $c.clusterPort))
  "max_request_size" (int $c.maxRequestSize)
  "tls_disable" $c.tlsDisable }}
{{- if not $c.tlsDisable }}
{{- $_ := set $api "tls_cert_file" "/srv/openbao/tls/tls.crt" }}
{{- $_ := set $api "tls_key_file" "/srv/openbao/tls/tls.key" }}
{{- end }}
{{- $listeners := list (dict "tcp" $api) }}
{{- if $c.metricsListener.enabled }}
{{- $metrics := omit $api "cluster_address" }}
{{- $_ := set $metrics "address" (printf ":%d" (int $c.metricsListener.port)) }}
{{- $_ := set $metrics "telemetry" (dict "unauthenticated_metrics_access" $c.metricsListener.unauthenticatedMetricsAccess) }}
{{- $listeners = append $listeners (dict "tcp" $metrics) }}
{{- end }}
{{- $listeners | toRawJson }}
{{- end }}

{{- define "openbao.config.telemetry" -}}
{{- $t := .Values.config.telemetry }}
{{- $filters := list }}
{{- range $t.prefixFilter }}
{{- $filters = append $filters (tpl . $) }}
{{- end }}
{{- dict
  "disable_hostname" $t.disableHostname
  "prometheus_retention_time" $t.prometheusRetentionTime
  "metrics_prefix" $t.metricsPrefix
  "usage_gauge_period" (int $t.usageGaugePeriod)
  "num_lease_metrics_buckets" (int $t.numLeaseMetricsBuckets)
  "prefix_filter" $filters | toRawJson }}
{{- end }}

{{- define "openbao.config.static" -}}
{{- $s := .Values.config.unseal.static }}
{{- $seal := dict "current_key_id" $s.currentKeyId "current_key" (printf "file://%s" $s.currentKeyPath) }}
{{- if $s.previousKeyId }}
{{- $_ := set $seal "previous_key_id" $s.previousKeyId }}
{{- $_ := set $seal "previous_key" (printf "file://%s" $s.previousKeyPath) }}
{{- end }}
{{- $seal | toRawJson }}
{{- end }}

{{- define "openbao.config.audit.file" -}}
{{- $a := .Values.config.audit.file }}
{{- if $a.enabled }}
{{- list (dict "type" "file" "path" "stdout" "options" (dict "file_path" $a.path)) | toRawJson }}
{{- else }}
{{- list | toRawJson }}
{{- end }}
{{- end }}

{{- define "openbao.config.audit.http" -}}
{{- $a := .Values.config.audit.http }}
{{- if $a.enabled }}
{{- $uri := required "config.audit.http.streamingUri is required when config.audit.http.enabled is true" $a.streamingUri }}
{{- $headers := dict
  "Content-Type" (list "application/json")
  "Gitlab-Openbao-Auth-Token" (list (printf "file://%s" $a.authTokenPath)) }}
{{- $options := dict "uri" $uri "skip_test" "true" "headers" (toRawJson $headers) }}
{{- list (dict "type" "http" "path" "gitlab_stream" "options" $options) | toRawJson }}
{{- else }}
{{- list | toRawJson }}
{{- end }}
{{- end }}
