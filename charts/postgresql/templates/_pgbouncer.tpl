{{- define "postgresql.pgbouncer.fullname" -}}
{{ include "postgresql.fullname" . }}-pgbouncer
{{- end }}

{{/* Another name than the database's: neither Service may select the other's pods. */}}
{{- define "postgresql.pgbouncer.selectorLabels" -}}
app.kubernetes.io/name: {{ include "postgresql.name" . }}-pgbouncer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "postgresql.pgbouncer.labels" -}}
{{ include "postgresql.pgbouncer.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "postgresql.pgbouncer.image" -}}
{{- $b := .Values.pgbouncer.image }}
{{- printf "%s:%s" ($b.repository | default .Values.image.repository) ($b.tag | default .Values.image.tag | default .Chart.AppVersion) }}
{{- end }}

{{/*
auth_user's password comes from the file that the init container writes. Settings win over what stands here.
ignore_startup_parameters: PgBouncer refuses a client that sends one it cannot keep per connection.
*/}}
{{- define "postgresql.pgbouncer.ini" -}}
{{- $b := .Values.pgbouncer }}
{{- $settings := dict
  "listen_addr" "*" "listen_port" 6432 "unix_socket_dir" "" "logfile" "" "pidfile" ""
  "auth_type" "scram-sha-256" "auth_file" "/run/pgbouncer/users" "admin_users" .Values.auth.username
  "pool_mode" $b.poolMode "default_pool_size" (int $b.poolSize) "max_client_conn" (int $b.maxClientConnections)
  "ignore_startup_parameters" "extra_float_digits"
  "server_tls_sslmode" (ternary "require" "disable" (not (empty .Values.tls.secret))) }}
{{- if $b.tls.secret }}
{{- $_ := set $settings "client_tls_sslmode" "require" }}
{{- $_ := set $settings "client_tls_cert_file" "/etc/pgbouncer-tls/tls.crt" }}
{{- $_ := set $settings "client_tls_key_file" "/etc/pgbouncer-tls/tls.key" }}
{{- end }}
{{- $settings = mergeOverwrite $settings (deepCopy $b.settings) -}}
[databases]
{{ .Values.auth.database }} = host={{ include "postgresql.fullname" . }} port={{ .Values.service.port }}

[pgbouncer]
{{- range $name, $value := $settings }}
{{ $name }} = {{ $value }}
{{- end }}
{{- end }}
