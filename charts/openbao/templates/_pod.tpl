{{- define "openbao.probe" -}}
httpGet:
  path: /v1/sys/health?standbyok=true
  port: api
  scheme: {{ include "openbao.scheme" .root | upper }}
{{- range $k, $v := .probe }}
{{ $k }}: {{ $v }}
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
