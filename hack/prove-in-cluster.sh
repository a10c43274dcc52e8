#!/usr/bin/env bash
# Disturbs load that pods of the cluster drive, and checks what Steamer makes of it. About two
# minutes a case, on one cluster, which it removes.
#
#   log-broken     the API server, and with it the streams of the pods' logs, is killed under load:
#                  the logs continue where they broke
#   pod-deleted    one of two load generators is deleted under load: the other is ended too,
#                  INCONCLUSIVE, exit code 4
#   interrupt      SIGINT under load: exit code 130, and no load generator left
#
# Usage: hack/prove-in-cluster.sh [CASE...]
set -euo pipefail
cd "$(dirname "$0")/.."
exec {idle}<> <(:) # nothing comes: reading from it waits without a process for each moment, whose numbers would soon repeat
[ "$#" -gt 0 ] || set -- log-broken pod-deleted interrupt
cluster=steamer-prove-$$
node=$cluster-control-plane
namespace=steamer-cn-load
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

engine() {
	local socket # of the private engine, which kubectl needs no network for: it runs in the node
	socket=$(find /run/steamer -maxdepth 2 -name docker.sock 2>/dev/null | head -n 1)
	if [ -S "$socket" ]; then docker --host "unix://$socket" "$@"; else docker "$@"; fi
}
kube() { engine exec --env KUBECONFIG=/etc/kubernetes/admin.conf "$node" kubectl "$@"; }

# await TEXT waits for a line of the run's output.
await() {
	until grep -q -- "$1" "$work/log"; do
		kill -0 "$pid" 2>/dev/null || return 1
		read -r -t 0.2 -u "$idle" || true
	done
}

disturb() {
	case $1 in
	log-broken)
		# shellcheck disable=SC2016
		engine exec "$node" sh -c 'for p in /proc/[0-9]*; do [ "$(cat "$p/comm" 2>/dev/null)" != kube-apiserver ] || kill -9 "${p#/proc/}"; done'
		;;
	pod-deleted) kube --namespace "$namespace" delete pod --selector batch.kubernetes.io/job-completion-index=1 --grace-period 1 ;;
	interrupt) kill -INT "$pid" ;;
	esac
}

# prove CASE CODE REASON: the exit code, and the reason in the run's output.
prove() {
	local code=0
	: >"$work/log"
	bin/steamer perf --in-cluster --parallelism 2 --topology cloud-native --scenarios none --tenants 10 --cluster "$cluster" --keep --reuse >"$work/log" 2>&1 &
	pid=$!
	if await 'measure: '; then disturb "$1" >"$work/disturbed" 2>&1 || cat "$work/disturbed" >&2; fi
	wait "$pid" || code=$?
	if [ "$code" = "$2" ] && grep -q -- "$3" "$work/log" && ! kube get namespace "$namespace" >/dev/null 2>&1; then
		printf 'right  %s: exit code %d\n' "$1" "$code"
	else
		printf 'WRONG  %s: exit code %d, want %s with "%s" and no namespace %s\n' "$1" "$code" "$2" "$3" "$namespace" >&2
		tail -n 40 "$work/log" >&2
		failed=1
	fi
}

for name in "$@"; do
	case $name in
	log-broken) prove "$name" 0 'Steamer: PASS' ;;
	pod-deleted) prove "$name" 4 'Steamer: INCONCLUSIVE' ;;
	interrupt) prove "$name" 130 'clean up' ;;
	*)
		echo "prove-in-cluster: unknown case $name" >&2
		exit 3
		;;
	esac
done
bin/steamer cluster down --name "$cluster"
exit "$failed"
