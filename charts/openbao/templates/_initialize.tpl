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

{{- define "openbao.secretsManagerPolicy" -}}
{{- include (printf "openbao.secretsManagerPolicy.%s" .Values.config.initialize.policy) . }}
{{- end }}

{{/* Everything but the raw store and the seal, in every namespace. */}}
{{- define "openbao.secretsManagerPolicy.all" -}}
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

{{/*
Only what Rails calls; no value can be read. Namespaces are two levels deep (a group's project, an organisation's group)
or three: a group's own is three, too. What is not named is refused anyway; deny is for what no other policy of the token may give back.
*/}}
{{- define "openbao.secretsManagerPolicy.scoped" -}}
path:
  "sys/namespaces/+":
    capabilities: [create, update]
  {{- range list "+/" "+/+/" }}
  "{{ . }}sys/namespaces/+":
    capabilities: [create, update, delete]
  {{- end }}
  {{- range $tenant := list "+/+/" "+/+/+/" }}
  "{{ $tenant }}sys/mounts":
    capabilities: [read]
  "{{ $tenant }}sys/mounts/secrets/kv":
    capabilities: [create, update]
  "{{ $tenant }}sys/policies/acl/*":
    capabilities: [create, read, update, delete]
  {{- range list "pipeline_jwt" "user_jwt" }}
  "{{ $tenant }}sys/auth/{{ . }}":
    capabilities: [create, update, sudo]
  "{{ $tenant }}auth/{{ . }}/config":
    capabilities: [create, update]
  {{- end }}
  "{{ $tenant }}auth/user_jwt/cel/role/+":
    capabilities: [create, update]
  "{{ $tenant }}secrets/kv/detailed-metadata/explicit":
    capabilities: [list]
  {{- end }}
  # With two levels, as GitLab before 18.10 has, jobs log in without CEL.
  "+/+/auth/pipeline_jwt/role/+":
    capabilities: [create, update]
  "+/+/+/auth/pipeline_jwt/cel/role/+":
    capabilities: [create, update]
  # Of a group's secrets, Rails writes the values itself.
  {{- range list "data" "metadata" }}
  "+/+/+/secrets/kv/{{ . }}/explicit/+":
    capabilities: [create, update]
  {{- end }}
  # The recovery key, once: without one the unseal key cannot be rotated.
  "sys/rotate/recovery/init":
    capabilities: [create, update]
  {{- range list "sys/raw/*" "sys/seal" "sys/step-down" "sys/generate-root/*" "sys/policies/acl/secrets_manager" "auth/gitlab_rails_jwt/role/*" }}
  "{{ . }}":
    capabilities: [deny]
  {{- end }}
{{- end }}
