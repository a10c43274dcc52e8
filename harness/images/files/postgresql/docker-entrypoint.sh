#!/bin/bash
# Initialises a PostgreSQL cluster on first start, then becomes the server. It honours the
# environment of the official image: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, each also
# as …_FILE, POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, PGDATA, and scripts in
# /docker-entrypoint-initdb.d.
set -euo pipefail
export PATH="/usr/lib/postgresql/15/bin:$PATH"
export PGDATA="${PGDATA:-/var/lib/postgresql/data}"

# setting NAME DEFAULT: sets NAME from itself, else from the file that NAME_FILE names, else to DEFAULT.
setting() {
	local file="${1}_FILE"
	if [ -n "${!1:-}" ]; then
		return
	elif [ -n "${!file:-}" ]; then
		printf -v "$1" '%s' "$(cat "${!file}")"
	else
		printf -v "$1" '%s' "$2"
	fi
}

initialise() {
	setting POSTGRES_USER postgres
	setting POSTGRES_PASSWORD ''
	setting POSTGRES_DB "$POSTGRES_USER"
	local method="${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}"
	if [ -z "$POSTGRES_PASSWORD" ] && [ "$method" != trust ]; then
		echo 'POSTGRES_PASSWORD is not set: a server without a superuser password accepts nobody' >&2
		exit 1
	fi
	mkdir -p "$PGDATA"
	chmod 700 "$PGDATA"
	# The password travels through a pipe, so that no file and no argument list holds it.
	# shellcheck disable=SC2086 # POSTGRES_INITDB_ARGS is a list of arguments
	initdb --username="$POSTGRES_USER" --auth-local=trust --auth-host="$method" \
		--pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-none}") ${POSTGRES_INITDB_ARGS:-} >/dev/null
	printf 'host all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"

	pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -c unix_socket_directories=/var/run/postgresql" -w start >/dev/null
	export PGHOST=/var/run/postgresql PGUSER="$POSTGRES_USER"
	if [ "$POSTGRES_DB" != postgres ]; then
		createdb "$POSTGRES_DB"
	fi
	for script in /docker-entrypoint-initdb.d/*; do
		case "$script" in
		*.sh) bash "$script" ;;
		*.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc -d "$POSTGRES_DB" -f "$script" ;;
		esac
	done
	pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
	unset PGHOST PGUSER
}

if [ "${1:-postgres}" = postgres ] || [ "${1#-}" != "$1" ]; then
	if [ "$(id -u)" = 0 ]; then
		mkdir -p "$PGDATA"
		chown -R postgres:postgres "$PGDATA"
		exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
	fi
	[ -s "$PGDATA/PG_VERSION" ] || initialise
	[ "${1:-}" != postgres ] || shift
	set -- postgres -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql "$@"
fi
unset POSTGRES_PASSWORD
exec "$@"
