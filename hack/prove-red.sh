#!/usr/bin/env bash
# Proves that the verdict can turn red: breaks a copy of charts/openbao in three ways that have
# happened to people, runs it, and checks that the run ends with exit code 1 and names the reason.
# Usage: hack/prove-red.sh [wrong-unseal-key|pool-of-one|wrong-selector]...
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# broken NAME: makes a broken copy of the chart, prints the flags that run it, and sets $reason.
broken() {
	local chart="$work/$1"
	cp -r charts/openbao "$chart"
	case "$1" in
	wrong-unseal-key)
		# The pods ask for another key than the one the storage was initialised with.
		sed -i 's/include "openbao.config" \. | nindent/include "openbao.config" . | replace "static-unseal-0" "lost-key" | nindent/' \
			"$chart/templates/configmap.yaml"
		reason='sealed|not Ready|initialised'
		;;
	pool-of-one)
		sed -i 's/maxParallel: 8/maxParallel: 1/; s/maxIdleConnections: 8/maxIdleConnections: 1/' "$chart/values.yaml"
		reason='.'
		;;
	wrong-selector)
		sed -i 's/openbao-active: {{ eq $kind "active" | quote }}/openbao-active: "yes"/' "$chart/templates/services.yaml"
		reason='leads to'
		;;
	*)
		echo "unknown defect $1" >&2
		exit 3
		;;
	esac
	if diff -rq charts/openbao "$chart" >/dev/null; then
		echo "defect $1 changed nothing: the chart has moved on, adapt this script" >&2
		exit 3
	fi
}

survived=0
[ "$#" -gt 0 ] || set -- wrong-unseal-key pool-of-one wrong-selector
for name in "$@"; do
	broken "$name"
	code=0
	bin/steamer run --reuse --keep --topology cloud-native --chart "$work/$name" --output "$work/runs" >"$work/$name.log" 2>"$work/$name.err" || code=$?
	why=$(sed -n '/^  Why/,/^$/p' "$work/$name.log")
	if [ "$code" = 1 ] && grep -Eq "$reason" <<<"$why"; then
		printf 'red    %s\n%s\n' "$name" "$why"
	else
		printf 'MISSED %s: exit code %s\n%s\n' "$name" "$code" "$why"
		tail -n 20 "$work/$name.err"
		survived=1
	fi
done
exit "$survived"
