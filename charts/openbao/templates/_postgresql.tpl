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
{{- include "openbao.postgresql.refuse" $c }}
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
{{- $params = mergeOverwrite $params (deepCopy $c.parameters) }}
{{- $query := list }}
{{- range $k, $v := $params }}
{{- $query = append $query (printf "%s=%s" (include "openbao.escape" $k) (include "openbao.escape" $v)) }}
{{- end }}
{{- $host := ternary (printf "[%s]" $c.host) $c.host (contains ":" $c.host) }}
{{- printf "postgres://%s@%s:%d/%s?%s" (include "openbao.escape" $c.username) $host (int $c.port) (include "openbao.escape" $c.database) (join "&" $query) }}
{{- end }}

{{/*
Keys of GitLab's chart that pgx, OpenBao's driver, does not know: it would pass them on to PostgreSQL, which refuses
the connection. The driver's sockets probe the server every 5 minutes, whatever is set here.
*/}}
{{- define "openbao.postgresql.refuse" -}}
{{- $values := "config.storage.postgresql.connection" }}
{{- if and (not (kindIs "invalid" .keepalives)) (ne (int .keepalives) 1) }}
{{- fail (printf "%s.keepalives: OpenBao's driver always sends TCP keepalives; leave it null, or 1" $values) }}
{{- end }}
{{- $instead := dict "keepalivesIdle" "tcp_keepalives_idle" "keepalivesInterval" "tcp_keepalives_interval" "keepalivesCount" "tcp_keepalives_count" "tcpUserTimeout" "tcp_user_timeout" }}
{{- range $key, $parameter := $instead }}
{{- if not (kindIs "invalid" (get $ $key | default nil)) }}
{{- fail (printf "%s.%s: OpenBao's driver cannot set it on its own socket; for the server's end set %s.parameters.%s" $values $key $values $parameter) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "openbao.config.postgresql" -}}
{{- $p := .Values.config.storage.postgresql }}
{{- $storage := dict
  "connection_url" (include "openbao.postgresql.url" .)
  "ha_enabled" (toString $p.haEnabled)
  "skip_create_table" (toString (default false $p.skipCreateTable)) }}
{{- /* GitLab's chart lets null leave the choice to OpenBao. */}}
{{- range $key, $name := dict "maxConnectRetries" "max_connect_retries" "maxParallel" "max_parallel" "maxIdleConnections" "max_idle_connections" }}
{{- if not (kindIs "invalid" (index $p $key)) }}
{{- $_ := set $storage $name (int (index $p $key)) }}
{{- end }}
{{- end }}
{{- /* A pool that transactions use up deadlocks: OpenBao locks its barrier to write the keyring, and wants a connection of its own for that. */}}
{{- $transactions := $p.transactionMaxParallel }}
{{- if and (kindIs "invalid" $transactions) (not (kindIs "invalid" $p.maxParallel)) }}
{{- $transactions = max 1 (sub (int $p.maxParallel) 2) }}
{{- end }}
{{- if not (kindIs "invalid" $transactions) }}
{{- $_ := set $storage "transaction_max_parallel" (int $transactions) }}
{{- end }}
{{- with $p.table }}{{ $_ := set $storage "table" . }}{{ end }}
{{- with $p.haTable }}{{ $_ := set $storage "ha_table" . }}{{ end }}
{{- $storage | toRawJson }}
{{- end }}
