{{/* urlquery writes a space as "+", which is a plus sign outside a query string. */}}
{{- define "openbao.escape" -}}
{{- . | toString | urlquery | replace "+" "%20" }}
{{- end }}

{{- define "openbao.postgresql.caMounted" -}}
{{- with .Values.config.storage.postgresql.connection.sslRootCert }}
{{- if or .secret .configMap }}true{{ end }}
{{- end }}
{{- end }}

{{/* The password never enters the URL: it reaches pgx through PGPASSWORD. */}}
{{- define "openbao.postgresql.url" -}}
{{- $c := .Values.config.storage.postgresql.connection }}
{{- $params := dict "sslmode" $c.sslMode }}
{{- if $c.connectTimeout }}
{{- $_ := set $params "connect_timeout" (int $c.connectTimeout) }}
{{- end }}
{{- if include "openbao.postgresql.caMounted" . }}
{{- $_ := set $params "sslrootcert" (printf "/srv/openbao/postgresql/ca/%s" $c.sslRootCert.key) }}
{{- else if has $c.sslMode (list "verify-ca" "verify-full") }}
{{- fail (printf "config.storage.postgresql.connection.sslMode %s needs sslRootCert.secret or sslRootCert.configMap" $c.sslMode) }}
{{- end }}
{{- if $c.sslClientCert.secret }}
{{- $_ := set $params "sslcert" "/srv/openbao/postgresql/client/tls.crt" }}
{{- $_ := set $params "sslkey" "/srv/openbao/postgresql/client/tls.key" }}
{{- end }}
{{- $params = mergeOverwrite $params $c.parameters }}
{{- $query := list }}
{{- range $k, $v := $params }}
{{- $query = append $query (printf "%s=%s" (include "openbao.escape" $k) (include "openbao.escape" $v)) }}
{{- end }}
{{- $host := ternary (printf "[%s]" $c.host) $c.host (contains ":" $c.host) }}
{{- printf "postgres://%s@%s:%d/%s?%s" (include "openbao.escape" $c.username) $host (int $c.port) (include "openbao.escape" $c.database) (join "&" $query) }}
{{- end }}

{{- define "openbao.config.postgresql" -}}
{{- $p := .Values.config.storage.postgresql }}
{{- $storage := dict
  "connection_url" (include "openbao.postgresql.url" .)
  "ha_enabled" (toString $p.haEnabled)
  "max_connect_retries" (int $p.maxConnectRetries)
  "max_parallel" (int $p.maxParallel)
  "max_idle_connections" (int $p.maxIdleConnections)
  "skip_create_table" (toString $p.skipCreateTable) }}
{{- with $p.table }}{{ $_ := set $storage "table" . }}{{ end }}
{{- with $p.haTable }}{{ $_ := set $storage "ha_table" . }}{{ end }}
{{- $storage | toRawJson }}
{{- end }}
