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
{{- if $c.telemetry.enabled }}
{{- $_ := set $config "telemetry" (include "openbao.config.telemetry" . | fromJson) }}
{{- end }}
{{- if $c.serviceRegistration.enabled }}
{{- $_ := set $config "service_registration" (dict "kubernetes" dict) }}
{{- end }}
{{- if and $c.initialize.enabled (not (include "openbao.bootstrap.enabled" .)) }}
{{- $_ := set $config "initialize" (include "openbao.config.initialize" . | fromJsonArray) }}
{{- end }}
{{- with include "openbao.config.audit" (dict "root" . "remote" true) | fromJsonArray }}
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
{{- with include "openbao.config.audit" (dict "root" . "remote" false) | fromJsonArray }}
{{- $_ := set $config "audit" . }}
{{- end }}
{{- /* Self-initialisation needs the seal, also one that the chart does not know. */}}
{{- with .Values.config.extra.seal }}
{{- $_ := set $config "seal" . }}
{{- end }}
{{- include "openbao.config.print" $config }}
{{- end }}

{{/*
For one look at the database: initialised or not. A key that unseals nothing keeps this server from ever leading.
*/}}
{{- define "openbao.config.probe" -}}
{{- $config := include "openbao.config.bootstrap" . | fromJson }}
{{- $config = omit $config "initialize" "audit" }}
{{- $_ := set $config "seal" (dict "static" (dict "current_key_id" "none" "current_key" "env://PROBE_KEY")) }}
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
{{- $limits := dict "max_request_size" (int $c.maxRequestSize) }}
{{- if include "openbao.since" (list . "2.4.1") }}
{{- $_ := set $limits "max_request_json_memory" (int $c.maxRequestJsonMemory) }}
{{- end }}
{{- $api := dict
  "address" (printf ":%d" (int $c.apiPort))
  "cluster_address" (printf ":%d" (int $c.clusterPort)) }}
{{- $api = merge $api $limits (include "openbao.config.tls" (eq (include "openbao.scheme" .) "https") | fromJson) }}
{{- $listeners := list (dict "tcp" $api) }}
{{- if include "openbao.metrics.enabled" . }}
{{- $metrics := dict
  "address" (printf ":%d" (int $c.metricsListener.port))
  "telemetry" (include "openbao.config.metrics" . | fromJson) }}
{{- $metrics = merge $metrics $limits (include "openbao.config.tls" (eq (include "openbao.metrics.scheme" .) "https") | fromJson) }}
{{- $listeners = append $listeners (dict "tcp" $metrics) }}
{{- end }}
{{- $listeners | toRawJson }}
{{- end }}

{{- define "openbao.config.tls" -}}
{{- $tls := dict "tls_disable" (not .) }}
{{- if . }}
{{- $_ := set $tls "tls_cert_file" "/srv/openbao/tls/tls.crt" }}
{{- $_ := set $tls "tls_key_file" "/srv/openbao/tls/tls.key" }}
{{- end }}
{{- $tls | toRawJson }}
{{- end }}

{{/* Before 2.5.0 OpenBao ignores metrics_only, with no more than a line in its log. */}}
{{- define "openbao.config.metrics" -}}
{{- $m := .Values.config.metricsListener }}
{{- $able := include "openbao.since" (list . "2.5.0") | not | not }}
{{- if and $m.metricsOnly (not $able) }}
{{- fail (printf "config.metricsListener.metricsOnly needs OpenBao 2.5.0: %s would serve the whole API on port %d; leave it null, or say in openbaoVersion what the image holds" (include "openbao.version" .) (int $m.port)) }}
{{- end }}
{{- $telemetry := dict "unauthenticated_metrics_access" $m.unauthenticatedMetricsAccess }}
{{- if ternary $able $m.metricsOnly (kindIs "invalid" $m.metricsOnly) }}
{{- $_ := set $telemetry "metrics_only" true }}
{{- end }}
{{- $telemetry | toRawJson }}
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
{{- $seal := dict "current_key_id" $s.currentKeyId "current_key" (printf "file://%s" $s.currentKey) }}
{{- if $s.previousKeyId }}
{{- $_ := set $seal "previous_key_id" $s.previousKeyId }}
{{- $_ := set $seal "previous_key" (printf "file://%s" $s.previousKey) }}
{{- end }}
{{- $seal | toRawJson }}
{{- end }}
