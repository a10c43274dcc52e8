{{/* Panels of the dashboard: title, unit (Grafana's id), queries by legend. */}}
{{- define "openbao.panels" -}}
{{- $m := printf "%s_" .Values.config.telemetry.metricsPrefix }}
{{- $pods := include "openbao.metrics.pods" . }}
{{- $container := printf `%s,container="openbao-server"` $pods }}
{{- $pod := "{{pod}}" }}
- title: Active pod
  unit: bool_on_off
  queries:
    {{ $pod | quote }}: >-
      {{ $m }}core_active{ {{- $pods -}} }
- title: Unsealed
  unit: bool_yes_no
  queries:
    {{ $pod | quote }}: >-
      {{ $m }}core_unsealed{ {{- $pods -}} }
- title: Leadership lost, last 15 minutes
  unit: short
  queries:
    {{ $pod | quote }}: >-
      increase({{ $m }}core_leadership_lost_count{ {{- $pods -}} }[15m])
- title: Requests
  unit: reqps
  queries:
    {{ $pod | quote }}: >-
      rate({{ $m }}core_handle_request_count{ {{- $pods -}} }[$__rate_interval])
    "logins {{ $pod }}": >-
      rate({{ $m }}core_handle_login_request_count{ {{- $pods -}} }[$__rate_interval])
- title: Time of a request
  unit: ms
  queries:
    "mean {{ $pod }}": >-
      rate({{ $m }}core_handle_request_sum{ {{- $pods -}} }[$__rate_interval]) / rate({{ $m }}core_handle_request_count{ {{- $pods -}} }[$__rate_interval])
    "p99 {{ $pod }}": >-
      {{ $m }}core_handle_request{ {{- $pods -}} ,quantile="0.99"}
- title: Requests in flight
  unit: short
  queries:
    {{ $pod | quote }}: >-
      {{ $m }}core_in_flight_requests{ {{- $pods -}} }
- title: Time of a PostgreSQL call outside a transaction
  unit: ms
  queries:
    "get {{ $pod }}": >-
      rate({{ $m }}postgres_get_sum{ {{- $pods -}} }[$__rate_interval]) / rate({{ $m }}postgres_get_count{ {{- $pods -}} }[$__rate_interval])
    "put {{ $pod }}": >-
      rate({{ $m }}postgres_put_sum{ {{- $pods -}} }[$__rate_interval]) / rate({{ $m }}postgres_put_count{ {{- $pods -}} }[$__rate_interval])
- title: Reads served by the cache
  unit: percentunit
  queries:
    {{ $pod | quote }}: >-
      rate({{ $m }}cache_hit{ {{- $pods -}} }[$__rate_interval]) / (rate({{ $m }}cache_hit{ {{- $pods -}} }[$__rate_interval]) + rate({{ $m }}cache_miss{ {{- $pods -}} }[$__rate_interval]))
- title: Audit records that no device took
  unit: short
  queries:
    "requests {{ $pod }}": >-
      increase({{ $m }}audit_log_request_failure{ {{- $pods -}} }[$__rate_interval])
    "responses {{ $pod }}": >-
      increase({{ $m }}audit_log_response_failure{ {{- $pods -}} }[$__rate_interval])
- title: CPU, share of the request
  unit: percentunit
  queries:
    {{ $pod | quote }}: >-
      sum by (pod) (rate(container_cpu_usage_seconds_total{ {{- $container -}} }[$__rate_interval])) / sum by (pod) (kube_pod_container_resource_requests{ {{- $container -}} ,resource="cpu"})
- title: CPU periods throttled
  unit: percentunit
  queries:
    {{ $pod | quote }}: >-
      sum by (pod) (rate(container_cpu_cfs_throttled_periods_total{ {{- $container -}} }[$__rate_interval])) / sum by (pod) (rate(container_cpu_cfs_periods_total{ {{- $container -}} }[$__rate_interval]))
- title: Memory
  unit: bytes
  queries:
    {{ $pod | quote }}: >-
      sum by (pod) (container_memory_working_set_bytes{ {{- $container -}} })
    "limit {{ $pod }}": >-
      sum by (pod) (kube_pod_container_resource_limits{ {{- $container -}} ,resource="memory"})
{{- end }}

{{/* Three panels a row; the data source is the dashboard's variable. */}}
{{- define "openbao.dashboard" -}}
{{- $source := dict "type" "prometheus" "uid" "${source}" }}
{{- $panels := list }}
{{- range $i, $p := include "openbao.panels" . | fromYamlArray }}
{{- $targets := list }}
{{- range $legend, $query := $p.queries }}
{{- $targets = append $targets (dict "refId" (printf "Q%d" (len $targets)) "expr" $query "legendFormat" $legend "datasource" $source) }}
{{- end }}
{{- $panels = append $panels (dict
  "id" (add1 $i) "type" "timeseries" "title" $p.title "datasource" $source "targets" $targets
  "gridPos" (dict "h" 8 "w" 8 "x" (mul 8 (mod $i 3)) "y" (mul 8 (div $i 3)))
  "fieldConfig" (dict "defaults" (dict "unit" $p.unit "min" 0) "overrides" list)) }}
{{- end }}
{{- $name := printf "%s/%s" .Release.Namespace (include "openbao.fullname" .) }}
{{- dict
  "uid" (printf "openbao-%s" (sha256sum $name | trunc 12))
  "title" (printf "OpenBao %s" $name)
  "tags" (list "openbao")
  "schemaVersion" 39
  "refresh" "30s"
  "time" (dict "from" "now-1h" "to" "now")
  "templating" (dict "list" (list (dict "name" "source" "label" "Data source" "type" "datasource" "query" "prometheus")))
  "panels" $panels | toPrettyJson | replace "\\u003c" "<" | replace "\\u003e" ">" | replace "\\u0026" "&" }}
{{- end }}
