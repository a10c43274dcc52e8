#!/bin/sh
# Runs what it is given; "server" and its arguments are Vault's.
set -e
[ "$1" != server ] || set -- vault "$@"
exec "$@"
