#!/usr/bin/env bash
# Proves that Steamer with the private engine does not change its host. An administrator's rules are
# in DOCKER-USER and on br-*. The host's packet filter, routes, network settings, mounts, network
# namespaces and Steamer's own traces are recorded before and after
#   1. a run of each of two checkouts (caches) at once, with the same cluster name and port;
#   2. SIGINT, and SIGKILL followed by `steamer cluster gc`, at random moments of a run.
# Prints a table and fails on any difference. Then hack/prove-harmless-shared.sh does the same on a
# Docker that two users share.
# Needs root and a host without a running Docker. Images are taken from the cache, or built first.
# Usage: hack/prove-harmless.sh [-i SIGINTS] [-k SIGKILLS] [-r REPEATS] [-s SEED] [-t TOPOLOGY]
set -euo pipefail
cd "$(dirname "$0")/.."
exec {idle}<> <(:) # nothing comes: reading from it waits without a process for each moment, whose numbers would soon repeat
interrupts=3 kills=2 repeats=1 seed=$$ topology=cloud-native
while getopts 'i:k:r:s:t:' option; do
	case $option in
	i) interrupts=$OPTARG ;;
	k) kills=$OPTARG ;;
	r) repeats=$OPTARG ;;
	s) seed=$OPTARG ;;
	t) topology=$OPTARG ;;
	*) exit 3 ;;
	esac
done
RANDOM=$((seed % 32768))
steamer=${STEAMER:-$PWD/bin/steamer}
source_cache=${STEAMER_CACHE:-$HOME/.cache/steamer}
[ "$(id -u)" = 0 ] || { echo 'only root has a private engine' >&2; exit 3; }
if docker info >/dev/null 2>&1; then
	echo 'a Docker runs: Steamer would use it, and this is about the private engine' >&2
	exit 3
fi
work=$(mktemp -d)
table=$work/table
failed=0

# The host's network as an administrator set it up. Counters and dates move by themselves.
host() {
	iptables-save | sed -E '/^#/d; s/\[[0-9]+:[0-9]+\]/[0:0]/'
	ip6tables-save | sed -E '/^#/d; s/\[[0-9]+:[0-9]+\]/[0:0]/'
	ip route show table all
	ip -6 route show table all | sed -E 's/ expires [0-9]+sec//'
	ip -o link | sed -E 's/ qlen .*//; s/^([0-9]+): ([^:]+):.*/\1 \2/'
	sysctl -a --pattern '^net\.' 2>/dev/null | grep -vE 'nf_conntrack_count|\.(random|stable)_secret|tcp_fastopen_key|route\.flush|ipfrag.*_count' | sort
}

# Everything of Steamer's that may be on the host while a run goes on, and nothing of it afterwards.
traces() {
	ls -d /run/steamer 2>/dev/null || true
	grep -o '/run/steamer[^ ]*' /proc/self/mountinfo || true
	for cache in "$work"/cache-*; do
		grep -o "$cache[^ ]*" /proc/self/mountinfo || true
		ls "$cache"/clusters/*.json "$cache"/clusters/*.kubeconfig 2>/dev/null || true
	done
	pgrep -af -- "$work" | grep -v "prove-harmless" || true
	pgrep -af "/run/steamer" || true
	local own
	own=$(readlink /proc/self/ns/net)
	for link in /proc/[0-9]*/ns/net; do
		local namespace
		namespace=$(readlink "$link" 2>/dev/null) || continue
		[ -z "$namespace" ] || [ "$namespace" = "$own" ] || echo "a process in another network namespace: $link"
	done
}

row() { printf '%-44s %-10s %-8s %-9s %s\n' "$@" | tee -a "$table"; }

# judge WHAT CODE SECONDS: compares the host with what it was, and searches for traces.
judge() {
	local network=same left=nothing
	host >"$work/after"
	traces >"$work/traces"
	if ! diff -u "$work/before" "$work/after" >"$work/diff"; then
		network=CHANGED failed=1
	fi
	if [ -s "$work/traces" ]; then
		left=SOMETHING failed=1
	fi
	row "$1" "$2" "$3 s" "$network" "$left"
	[ "$network" = same ] || cat "$work/diff"
	[ "$left" = nothing ] || cat "$work/traces"
}

# cache N: a cache of its own with the images of the given one, as a second checkout or user has it.
cache() {
	mkdir -p "$work/cache-$1"
	cp -al "$source_cache/images" "$source_cache/bin" "$work/cache-$1/" 2>/dev/null || cp -a "$source_cache/images" "$source_cache/bin" "$work/cache-$1/"
}

# run N [ARGUMENT...]: the smallest run that installs a chart, on cache N.
run() {
	local n=$1
	shift
	STEAMER_CACHE=$work/cache-$n "$steamer" test --topology "$topology" --scenarios none --tenants 10 --output "$work/runs" "$@" >"$work/log-$n" 2>&1
}

admin=harmless$$
cleanup() {
	for n in 1 2; do
		[ -d "$work/cache-$n" ] && STEAMER_CACHE=$work/cache-$n "$steamer" cluster gc --all >/dev/null 2>&1
	done
	iptables -D FORWARD -j DOCKER-USER -m comment --comment "$admin"
	iptables -D DOCKER-USER -s 192.0.2.0/24 -j DROP -m comment --comment "$admin"
	[ -n "${chain_was:-}" ] || iptables -X DOCKER-USER
	iptables -D FORWARD -i br-0123456789ab -j ACCEPT -m comment --comment "$admin"
	iptables -t nat -D POSTROUTING -o br-0123456789ab -j RETURN -m comment --comment "$admin"
	rm -rf "$work"
} 2>/dev/null

"$steamer" images build node openbao postgresql gitlab-stub >/dev/null
chain_was=$(iptables -S DOCKER-USER 2>/dev/null | head -n 1 || true)
trap cleanup EXIT
[ -n "$chain_was" ] || iptables -N DOCKER-USER
iptables -A DOCKER-USER -s 192.0.2.0/24 -j DROP -m comment --comment "$admin"
iptables -A FORWARD -j DOCKER-USER -m comment --comment "$admin"
iptables -A FORWARD -i br-0123456789ab -j ACCEPT -m comment --comment "$admin"
iptables -t nat -A POSTROUTING -o br-0123456789ab -j RETURN -m comment --comment "$admin"
cache 1
cache 2
host >"$work/before"
if [ -n "$(traces)" ]; then
	traces >&2
	echo 'something of Steamer, or another container, is here already: the proof needs a host where nothing runs' >&2
	exit 3
fi

echo "seed $seed"
row 'what' 'exit code' 'took' 'network' 'left'
usual=60
for round in $(seq "$repeats"); do
	started=$SECONDS first=0 second=0
	run 1 & one=$!
	run 2 & two=$!
	wait "$one" || first=$?
	wait "$two" || second=$?
	[ "$first$second" = 00 ] || { failed=1; tail -n 20 "$work"/log-1 "$work"/log-2; }
	judge "two checkouts at once, round $round" "$first and $second" "$((SECONDS - started))"
	usual=$(((SECONDS - started) / 2 + 5)) # one alone takes about half as long
done

# interrupted SIGNAL: a run that gets a signal at a random moment.
interrupted() {
	local signal=$1 at code=0 started=$SECONDS
	at=$((RANDOM % usual + 1))
	STEAMER_CACHE=$work/cache-1 "$steamer" test --topology "$topology" --scenarios none --tenants 10 --output "$work/runs" >"$work/log-1" 2>&1 &
	local pid=$!
	for ((i = 0; i < at * 10; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		read -r -t 0.1 -u "$idle" || true
	done
	kill "-$signal" "$pid" 2>/dev/null || true
	wait "$pid" || code=$?
	local expected=" 130 0 "
	if [ "$signal" = KILL ]; then
		expected=" 137 0 "
		STEAMER_CACHE=$work/cache-1 "$steamer" cluster gc >"$work/gc" 2>&1 || { cat "$work/gc"; failed=1; }
	fi
	case $expected in
	*" $code "*) ;;
	*) failed=1; tail -n 20 "$work/log-1" ;;
	esac
	judge "SIG$signal after $at s: $(grep -a '^▶' "$work/log-1" | tail -n 1)" "$code" "$((SECONDS - started))"
}
for ((n = 0; n < interrupts; n++)); do interrupted INT; done
for ((n = 0; n < kills; n++)); do interrupted KILL; done

echo
echo 'On a Docker that two users share:'
hack/prove-harmless-shared.sh -i "$interrupts" -k "$kills" -s "$seed" || failed=1
[ "$failed" = 0 ] && echo 'harmless' || echo 'NOT harmless' >&2
exit "$failed"
