{{/*
The limits are those of GitLab's Secrets Manager administration guide. Times are in milliseconds, as OpenBao reports them.
openbao_postgres_get sees no transactions, and so not the reads of KV v2: watch pg_stat_statements for those.
*/}}
{{- define "openbao.alerts" -}}
{{- $limit := .Values.prometheusRule.thresholds }}
{{- $m := printf "%s_" .Values.config.telemetry.metricsPrefix }}
{{- $pods := include "openbao.metrics.pods" . }}
{{- $container := printf `%s,container="openbao-server"` $pods }}
{{- $pod := "{{ $labels.pod }}" }}
{{- $value := "{{ $value | humanize }}" }}
{{- $share := "{{ $value | humanizePercentage }}" }}
- alert: OpenBaoSealed
  expr: >-
    {{ $m }}core_unsealed{ {{- $pods -}} } == 0
  for: 2m
  labels: {severity: critical}
  annotations:
    summary: >-
      {{ $pod }} is sealed
    description: >-
      It serves nothing and cannot take over. Look for the unseal key's Secret and at the log.
- alert: OpenBaoNoActive
  expr: >-
    (sum({{ $m }}core_active{ {{- $pods -}} }) or vector(0)) < 1
  for: 1m
  labels: {severity: critical}
  annotations:
    summary: >-
      No OpenBao pod is active
    description: >-
      Every fetch fails. After a crash a standby takes over within 15 s plus the time to load the namespaces.
- alert: OpenBaoSeveralActive
  expr: >-
    sum({{ $m }}core_active{ {{- $pods -}} }) > 1
  for: 1m
  labels: {severity: critical}
  annotations:
    summary: >-
      {{ $value }} OpenBao pods call themselves active
    description: >-
      Only one may write to the database. Compare with the row in openbao_ha_locks.
- alert: OpenBaoLeadershipChanges
  expr: >-
    (sum(increase({{ $m }}core_leadership_lost_count{ {{- $pods -}} }[15m])) or vector(0)) + (sum(increase({{ $m }}core_leadership_setup_failed_count{ {{- $pods -}} }[15m])) or vector(0)) > 2
  labels: {severity: warning}
  annotations:
    summary: >-
      Leadership changed {{ $value }} times in 15 minutes
    description: >-
      One failed renewal of the lock gives it up. Look at the database, and at the pool of connections.
- alert: OpenBaoAuditFailing
  expr: >-
    sum by (pod) (increase({{ $m }}audit_log_request_failure{ {{- $pods -}} }[5m]) + increase({{ $m }}audit_log_response_failure{ {{- $pods -}} }[5m])) > 0
  labels: {severity: critical}
  annotations:
    summary: >-
      {{ $pod }} could write no audit record
    description: >-
      Requests are refused while no audit device works. One broken device of several does not show here.
- alert: OpenBaoRequestsSlow
  expr: >-
    sum by (pod) (rate({{ $m }}core_handle_request_sum{ {{- $pods -}} }[5m])) / sum by (pod) (rate({{ $m }}core_handle_request_count{ {{- $pods -}} }[5m])) > {{ $limit.requestMean }}
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: >-
      Requests at {{ $pod }} take {{ $value }} ms on average
    description: >-
      3 to 7 ms is usual; the limit is {{ $limit.requestMean }} ms.
- alert: OpenBaoRequestsSlowP99
  expr: >-
    {{ $m }}core_handle_request{ {{- $pods -}} ,quantile="0.99"} > {{ $limit.requestP99 }}
  for: 10m
  labels: {severity: info}
  annotations:
    summary: >-
      The slowest percent of requests at {{ $pod }} takes {{ $value }} ms and more
    description: >-
      The limit is {{ $limit.requestP99 }} ms.
- alert: OpenBaoRequestsInFlight
  expr: >-
    {{ $m }}core_in_flight_requests{ {{- $pods -}} } > {{ $limit.inFlight }}
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: >-
      {{ $pod }} has {{ $value }} requests in flight
    description: >-
      More than {{ $limit.inFlight }} for ten minutes mean that requests wait, mostly for the database.
- alert: OpenBaoDatabaseSlow
  expr: >-
    sum by (pod) (rate({{ $m }}postgres_get_sum{ {{- $pods -}} }[5m])) / sum by (pod) (rate({{ $m }}postgres_get_count{ {{- $pods -}} }[5m])) > {{ $limit.postgresGet }}
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: >-
      A read from PostgreSQL takes {{ $pod }} {{ $value }} ms on average
    description: >-
      The limit is {{ $limit.postgresGet }} ms. Look at the network, the database's load and the pool of connections.
- alert: OpenBaoThrottled
  expr: >-
    sum by (pod) (rate(container_cpu_cfs_throttled_periods_total{ {{- $container -}} }[5m])) / sum by (pod) (rate(container_cpu_cfs_periods_total{ {{- $container -}} }[5m])) > {{ $limit.throttled }}
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: >-
      {{ $pod }} is throttled in {{ $share }} of its CPU periods
    description: >-
      Raise the CPU limit, or sizing.tier.
- alert: OpenBaoCPUHigh
  expr: >-
    sum by (pod) (rate(container_cpu_usage_seconds_total{ {{- $container -}} }[5m])) / sum by (pod) (kube_pod_container_resource_requests{ {{- $container -}} ,resource="cpu"}) > {{ $limit.cpu }}
  for: 15m
  labels: {severity: info}
  annotations:
    summary: >-
      {{ $pod }} uses {{ $share }} of its CPU request
    description: >-
      Plan for the next row of the sizing table.
- alert: OpenBaoMemoryHigh
  expr: >-
    sum by (pod) (container_memory_working_set_bytes{ {{- $container -}} }) / sum by (pod) (kube_pod_container_resource_limits{ {{- $container -}} ,resource="memory"}) > {{ $limit.memory }}
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: >-
      {{ $pod }} uses {{ $share }} of its memory limit
    description: >-
      OpenBao is killed at the limit. It needs about 1 MB a namespace plus 1 GB.
{{- end }}

{{/* Label matchers of the pods: the Deployment's names end in a hash and five characters. */}}
{{- define "openbao.metrics.pods" -}}
namespace={{ .Release.Namespace | quote }},pod=~"{{ include "openbao.fullname" . }}-[a-z0-9]+-[a-z0-9]{5}"
{{- end }}
