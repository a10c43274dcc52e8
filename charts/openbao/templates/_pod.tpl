{{/*
Arguments: root, probe, seconds that the default of failureThreshold has to cover, and whether a failure kills the pod.
Killing helps a sealed pod only where the static key unseals the next one; an uninitialised one it never helps.
*/}}
{{- define "openbao.probe" -}}
{{- $root := index . 0 }}
{{- $probe := deepCopy (index . 1) }}
{{- if not (or $probe.exec $probe.tcpSocket $probe.grpc) }}
{{- $path := "/v1/sys/health?standbyok=true" }}
{{- if index . 3 }}
{{- $path = print $path "&uninitcode=204" (ternary "" "&sealedcode=204" $root.Values.config.unseal.static.enabled) }}
{{- end }}
{{- $request := dict "path" $path "port" "api" "scheme" (include "openbao.scheme" $root | upper) }}
{{- $_ := set $probe "httpGet" (mergeOverwrite $request ($probe.httpGet | default dict)) }}
{{- end }}
{{- if not $probe.failureThreshold }}
{{- $_ := set $probe "failureThreshold" (divf (index . 2) ($probe.periodSeconds | default 10) | ceil | int) }}
{{- end }}
{{- toYaml $probe }}
{{- end }}

{{/* Seconds to load every namespace, from GitLab's figures (5 s and 11 s per 1,000 namespaces), twice over. */}}
{{- define "openbao.loadSeconds" -}}
{{- mulf 2 (addf 5 (mulf 0.011 (include "openbao.namespaces" . | int))) | ceil | int }}
{{- end }}

{{/* Namespaces to expect: those that fit the tier's memory, where the tier sets it. */}}
{{- define "openbao.namespaces" -}}
{{- $tier := index (include "openbao.tiers" . | fromYaml) (toString .Values.sizing.tier) }}
{{- if not (kindIs "invalid" .Values.sizing.expectedNamespaces) }}
{{- .Values.sizing.expectedNamespaces | int }}
{{- else if or .Values.resources (not $tier) }}10000
{{- else }}
{{- $tier.namespaces | int }}
{{- end }}
{{- end }}

{{/* A pod starts with the database's back-off (about 80 s) before it loads anything. */}}
{{- define "openbao.startSeconds" -}}
{{- add 80 (include "openbao.loadSeconds" . | int) }}
{{- end }}

{{/* Health waits while a standby takes over, so a shorter budget would kill it in the middle. */}}
{{- define "openbao.takeoverSeconds" -}}
{{- max 60 (include "openbao.loadSeconds" . | int) }}
{{- end }}

{{/*
GitLab's sizing table: CPU request in millicores (the limit is twice that), memory (request and limit), namespaces that
fit it. GitLab counts in GB; GiB are 7 % more, for what the kernel counts on top of the heap.
*/}}
{{- define "openbao.tiers" -}}
"3": {cpu: 500, memory: 2Gi, namespaces: 1000}
"6": {cpu: 500, memory: 3Gi, namespaces: 2000}
"12": {cpu: 500, memory: 4Gi, namespaces: 3000}
"30": {cpu: 500, memory: 9Gi, namespaces: 8000}
"60": {cpu: 1000, memory: 16Gi, namespaces: 15000}
"150": {cpu: 2000, memory: 31Gi, namespaces: 30000}
{{- end }}

{{- define "openbao.resources" -}}
{{- $tier := index (include "openbao.tiers" . | fromYaml) (toString .Values.sizing.tier) }}
{{- if .Values.resources }}
{{- toYaml .Values.resources }}
{{- else if $tier }}
requests:
  cpu: {{ $tier.cpu }}m
  memory: {{ $tier.memory }}
limits:
  {{- if .Values.sizing.cpuLimit }}
  cpu: {{ mul 2 $tier.cpu }}m
  {{- end }}
  memory: {{ $tier.memory }}
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
{{- /* Kubernetes rounds a percentage down. */}}
{{- $stopped := ternary (div (mul ($unavailable | toString | trimSuffix "%" | int) $pods) 100) ($unavailable | toString | int) (hasSuffix "%" ($unavailable | toString)) }}
{{- if and (gt $pods 1) (ge (int $stopped) $pods) }}
{{- fail (printf "strategy.rollingUpdate.maxUnavailable is %v of %d pods: a rollout would stop them all; choose fewer, or strategy.type Recreate" $unavailable $pods) }}
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

{{/* GitLab's Prometheus reads its own prefix. Annotations hold no token. */}}
{{- define "openbao.metrics.annotations" -}}
{{- if and (include "openbao.metrics.enabled" .) .Values.config.metricsListener.unauthenticatedMetricsAccess }}
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
