#!/bin/sh
# Runs what it is given; without arguments, an OpenBao server on the configuration directory.
set -e
if [ "$#" -eq 0 ] || [ "$1" = server ]; then
	[ "$#" -eq 0 ] || shift
	exec bao server -config="${OPENBAO_CONFIG_DIRECTORY:-/openbao/config}" "$@"
fi
exec "$@"
