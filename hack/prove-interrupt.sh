#!/usr/bin/env bash
# Interrupts a run with SIGINT when it announces each of several steps, and checks that it exits
# with code 130 and leaves nothing behind: no container, network, process, namespace or file but the
# run directory. hack/prove-harmless.sh checks the host.
# Usage: hack/prove-interrupt.sh [STEP...]   (text of a line that the run prints)
set -euo pipefail
cd "$(dirname "$0")/.."
exec {idle}<> <(:) # nothing comes: reading from it waits without a process for each moment, whose numbers would soon repeat
[ "$#" -gt 0 ] || set -- 'Preparing nodes' 'Starting control-plane' 'cloud-native: install' 'cloud-native: seed' 'cloud-native: load' 'cloud-native-hybrid: scenarios'

leftovers() {
	pgrep -af -- '--data-root [^ ]*steamer' && return 0
	find /run/steamer 2>/dev/null && return 0
	grep ' /run/steamer' /proc/self/mountinfo && return 0
	pgrep -af 'k6 run --out hdr' && return 0
	ls "${STEAMER_CACHE:-$HOME/.cache/steamer}"/clusters/* 2>/dev/null && return 0
	git status --porcelain --untracked-files=all -- . ':!runs' | grep -v '^ M' && return 0
	return 1
}

if leftovers; then
	echo 'something of Steamer is there already: run "make down" first' >&2
	exit 3
fi
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for step in "$@"; do
	: >"$log"
	bin/steamer run --scenarios 'access|leak' --tenants 10 >"$log" 2>&1 &
	pid=$!
	until grep -q -- "$step" "$log"; do
		kill -0 "$pid" 2>/dev/null || break
		read -r -t 0.2 -u "$idle" || true
	done
	started=$SECONDS
	kill -INT "$pid" 2>/dev/null || true
	code=0
	wait "$pid" || code=$?
	if [ "$code" = 130 ] && ! leftovers; then
		printf 'clean   SIGINT at "%s": exit code 130 after %d s\n' "$step" "$((SECONDS - started))"
	else
		printf 'DIRTY   SIGINT at "%s": exit code %d\n' "$step" "$code"
		tail -n 25 "$log"
		failed=1
	fi
done
exit "$failed"
