{{/* Arguments: root, "postgresql" or other key of networkPolicy.egress, ports. No peers means any address. */}}
{{- define "openbao.egress" -}}
- ports:
    {{- range index . 2 }}
    - protocol: TCP
      port: {{ . }}
    {{- end }}
  {{- with index (index . 0).Values.networkPolicy.egress (index . 1) }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* What the pods and the bootstrap Job both reach. */}}
{{- define "openbao.egress.common" -}}
- ports:
    - protocol: UDP
      port: 53
    - protocol: TCP
      port: 53
- ports:
    - protocol: TCP
      port: api
    - protocol: TCP
      port: cluster
  to:
    - podSelector:
        matchLabels: {{- include "openbao.selectorLabels" . | nindent 10 }}
{{ include "openbao.egress" (list . "postgresql" (list (int .Values.config.storage.postgresql.connection.port))) }}
{{- with .Values.networkPolicy.egress.extra }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Ports of the URLs at which OpenBao calls GitLab, as a JSON list. */}}
{{- define "openbao.gitlab.ports" -}}
{{- $urls := list }}
{{- if .Values.config.initialize.enabled }}
{{- $urls = append $urls (tpl .Values.config.initialize.oidcDiscoveryUrl .) }}
{{- end }}
{{- if .Values.config.audit.http.enabled }}
{{- $urls = append $urls (tpl .Values.config.audit.http.streamingUri .) }}
{{- end }}
{{- $ports := list }}
{{- range compact $urls }}
{{- $url := urlParse . }}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "443" "80" (eq $url.scheme "https")) }}
{{- $ports = append $ports (int $port) }}
{{- end }}
{{- uniq $ports | toRawJson }}
{{- end }}
