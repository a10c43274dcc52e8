{{/* Arguments: root, probe, seconds that the default of failureThreshold has to cover. */}}
{{- define "openbao.probe" -}}
{{- $root := index . 0 }}
{{- $probe := deepCopy (index . 1) }}
{{- if not (or $probe.exec $probe.tcpSocket $probe.grpc) }}
{{- $request := dict "path" "/v1/sys/health?standbyok=true" "port" "api" "scheme" (include "openbao.scheme" $root | upper) }}
{{- $_ := set $probe "httpGet" (mergeOverwrite $request ($probe.httpGet | default dict)) }}
{{- end }}
{{- if not $probe.failureThreshold }}
{{- $_ := set $probe "failureThreshold" (divf (index . 2) ($probe.periodSeconds | default 10) | ceil | int) }}
{{- end }}
{{- toYaml $probe }}
{{- end }}

{{/* Seconds to load every namespace, from GitLab's figures (5 s and 11 s per 1,000 namespaces), twice over. */}}
{{- define "openbao.loadSeconds" -}}
{{- mulf 2 (addf 5 (mulf 0.011 .Values.sizing.expectedNamespaces)) | ceil | int }}
{{- end }}

{{/* A pod starts with the database's back-off (about 80 s) before it loads anything. */}}
{{- define "openbao.startSeconds" -}}
{{- add 80 (include "openbao.loadSeconds" . | int) }}
{{- end }}

{{/* Health waits while a standby takes over, so a shorter budget would kill it in the middle. */}}
{{- define "openbao.takeoverSeconds" -}}
{{- max 60 (include "openbao.loadSeconds" . | int) }}
{{- end }}

{{/* GitLab's sizing table: CPU request in millicores (the limit is twice that), memory in GiB (request and limit). */}}
{{- define "openbao.resources" -}}
{{- $tiers := dict "3" (list 500 2) "6" (list 500 3) "12" (list 500 4) "30" (list 500 9) "60" (list 1000 16) "150" (list 2000 31) }}
{{- $tier := get $tiers (toString .Values.sizing.tier) }}
{{- if .Values.resources }}
{{- toYaml .Values.resources }}
{{- else if $tier }}
requests:
  cpu: {{ index $tier 0 }}m
  memory: {{ index $tier 1 }}Gi
limits:
  cpu: {{ mul 2 (index $tier 0) }}m
  memory: {{ index $tier 1 }}Gi
{{- end }}
{{- end }}

{{- define "openbao.strategy" -}}
{{- $s := .Values.strategy }}
type: {{ $s.type }}
{{- if eq $s.type "RollingUpdate" }}
{{- $surge := $s.rollingUpdate.maxSurge | toString | trimSuffix "%" | int }}
{{- $unavailable := $s.rollingUpdate.maxUnavailable }}
{{- if not (or $surge ($unavailable | toString | trimSuffix "%" | int)) }}
{{- fail "strategy.rollingUpdate: maxSurge and maxUnavailable are both 0, so no pod could ever be replaced" }}
{{- end }}
{{- $pods := ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled | int }}
{{- if and (gt $pods 1) (not (kindIs "string" $unavailable)) (ge (int $unavailable) $pods) }}
{{- fail (printf "strategy.rollingUpdate.maxUnavailable is %d of %d pods: a rollout would stop them all; choose fewer, or strategy.type Recreate" (int $unavailable) $pods) }}
{{- end }}
rollingUpdate: {{- toYaml $s.rollingUpdate | nindent 2 }}
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

{{- define "openbao.topologySpread" -}}
{{- if .Values.topologySpreadConstraints }}
{{- toYaml .Values.topologySpreadConstraints }}
{{- else if ne .Values.topologySpreadPreset "none" }}
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: {{ ternary "DoNotSchedule" "ScheduleAnyway" (eq .Values.topologySpreadPreset "hard") }}
  labelSelector:
    matchLabels: {{- include "openbao.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* GitLab's Prometheus reads its own prefix. */}}
{{- define "openbao.metrics.annotations" -}}
{{- if include "openbao.metrics.enabled" . }}
{{- range $prefix := list "prometheus.io/" "gitlab.com/prometheus_" }}
{{ $prefix }}scrape: "true"
{{ $prefix }}scheme: {{ include "openbao.metrics.scheme" $ }}
{{ $prefix }}port: {{ $.Values.config.metricsListener.port | quote }}
{{ $prefix }}path: /v1/sys/metrics
{{ $prefix }}param_format: prometheus
{{- end }}
{{- end }}
{{- end }}

{{- define "openbao.metrics.enabled" -}}
{{- if and .Values.config.telemetry.enabled .Values.config.metricsListener.enabled }}true{{ end }}
{{- end }}

{{/* Null follows the api listener. */}}
{{- define "openbao.metrics.scheme" -}}
{{- $plain := .Values.config.metricsListener.tlsDisable }}
{{- if kindIs "invalid" $plain }}
{{- $plain = .Values.config.tlsDisable }}
{{- end }}
{{- ternary "http" "https" $plain }}
{{- end }}
