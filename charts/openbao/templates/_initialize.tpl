{{/*
Self-initialisation for GitLab Rails: a JWT mount, its configuration, the policy and the role.
skip_jwks_validation lets OpenBao come up before GitLab does.
*/}}
{{- define "openbao.config.initialize" -}}
{{- if .Values.initializeTpl }}
{{- include "openbao.items" (list . "initializeTpl" .Values.initializeTpl) | fromYamlArray | toRawJson }}
{{- else }}
{{- $i := .Values.config.initialize }}
{{- $url := required "config.initialize.oidcDiscoveryUrl is required: the URL of GitLab as OpenBao reaches it" (tpl $i.oidcDiscoveryUrl .) }}
{{- $audiences := list }}
{{- range ternary (list $i.boundAudiences) $i.boundAudiences (kindIs "string" $i.boundAudiences) }}
{{- $audiences = append $audiences (tpl . $) }}
{{- end }}
{{- $audiences = compact $audiences }}
{{- if not $audiences }}
{{- fail "config.initialize.boundAudiences is required: the URL of OpenBao as GitLab knows it" }}
{{- end }}
{{- $mount := dict "operation" "update" "path" "sys/auth/gitlab_rails_jwt" "data" (dict "type" "jwt") }}
{{- $config := dict "operation" "update" "path" "auth/gitlab_rails_jwt/config" "data" (dict
  "oidc_discovery_url" $url
  "bound_issuer" (tpl $i.boundIssuer . | default $url)
  "skip_jwks_validation" true) }}
{{- $policy := dict "operation" "update" "path" "sys/policies/acl/secrets_manager" "data" (dict
  "policy" (include "openbao.secretsManagerPolicy" . | fromYaml | toRawJson)) }}
{{- $role := dict "operation" "update" "path" "auth/gitlab_rails_jwt/role/app" "data" (dict
  "role_type" "jwt"
  "user_claim" "user_id"
  "bound_subject" "gitlab_secrets_manager"
  "bound_audiences" $audiences
  "bound_claims" (dict "secrets_manager_scope" "privileged")
  "claim_mappings" (dict "correlation_id" "correlation_id" "project_id" "project_id" "group_id" "group_id" "namespace_id" "namespace_id" "user_id" "user_id")
  "token_policies" (list "secrets_manager")) }}
{{- $requests := list
  (dict "mount-jwt" $mount)
  (dict "configure-jwt" $config)
  (dict "policy-secrets-manager" $policy)
  (dict "role-app" $role) }}
{{- concat (list (dict "gitlab-auth" (dict "request" $requests))) $i.extra | toRawJson }}
{{- end }}
{{- end }}

{{/* Rails provisions namespaces, mounts, roles and policies at any depth; it never needs the raw store or the seal. */}}
{{- define "openbao.secretsManagerPolicy" -}}
path:
  "*":
    capabilities: [create, read, update, patch, delete, list, scan, sudo]
  "sys/raw/*":
    capabilities: [deny]
  "sys/seal":
    capabilities: [deny]
  "sys/step-down":
    capabilities: [deny]
{{- end }}
