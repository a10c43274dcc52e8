{{- define "openbao.ingress.tlsSecret" -}}
{{- .Values.ingress.tls.secretName | default (printf "%s-openbao-tls" .Release.Name) }}
{{- end }}

{{/* GitLab's name for it: GitLab's values call it in config.initialize.boundAudiences. */}}
{{- define "gitlab.openbao.url" -}}
{{- printf "%s://%s" (ternary "https" "http" .Values.ingress.tls.enabled) .Values.ingress.hostname }}
{{- end }}

{{/*
What nginx and cert-manager need to know; a user's annotations win. Null for configureCertmanager keeps cert-manager
away from a Secret that somebody else fills.
*/}}
{{- define "openbao.ingress.annotations" -}}
{{- $i := .Values.ingress }}
{{- $global := .Values.global.ingress }}
{{- $all := dict }}
{{- if eq $global.provider "nginx" }}
{{- if not .Values.config.tlsDisable }}
{{- $_ := set $all "nginx.ingress.kubernetes.io/backend-protocol" "HTTPS" }}
{{- if $i.sslPassthroughNginx }}
{{- $_ := set $all "nginx.ingress.kubernetes.io/ssl-passthrough" "true" }}
{{- end }}
{{- else if $i.sslPassthroughNginx }}
{{- fail "ingress.sslPassthroughNginx needs config.tlsDisable: false: there is no TLS to pass through to" }}
{{- end }}
{{- end }}
{{- $ask := $i.configureCertmanager }}
{{- if kindIs "invalid" $ask }}
{{- $ask = not $i.tls.secretName }}
{{- end }}
{{- if and $i.tls.enabled $ask }}
{{- $_ := set $all "cert-manager.io/issuer" (tpl $i.certmanagerIssuer .) }}
{{- $_ := set $all "cert-manager.io/issue-temporary-certificate" "false" }}
{{- $_ := set $all "acme.cert-manager.io/http01-edit-in-place" (not $global.useNewIngressForCerts | toString) }}
{{- end }}
{{- $all = mergeOverwrite $all (deepCopy $global.annotations) (deepCopy $i.annotations) }}
{{- if $all }}
{{- toYaml $all }}
{{- end }}
{{- end }}
