#!/usr/bin/env bash
# Proves that Steamer does not harm other users of a Docker that it shares. A second dockerd, "the
# user's", is started in a network namespace of its own, with containers, a network, a volume and a
# kind cluster of others on it. Then
#   1. two users, root and one without rights, each run from a checkout and a cache of their own, at
#      once, with nothing said about names and ports;
#   2. the second keeps a cluster; the first tries to remove it, by name and by `cluster gc --all`;
#   3. SIGINT, and SIGKILL followed by `steamer cluster gc` of the owner, at random moments of the
#      first one's run.
# Everything of others has to be as it was, running and with the same IDs, and nothing of the first
# user's may be left. Prints a table and fails on any difference.
# Needs root, dockerd and the images in the cache. Usage: hack/prove-harmless-shared.sh [-i SIGINTS]
# [-k SIGKILLS] [-s SEED]
set -euo pipefail
cd "$(dirname "$0")/.."
exec {idle}<> <(:) # nothing comes: reading from it waits without a process for each moment, whose numbers would soon repeat
interrupts=3 kills=2 seed=$$
while getopts 'i:k:s:' option; do
	case $option in
	i) interrupts=$OPTARG ;;
	k) kills=$OPTARG ;;
	s) seed=$OPTARG ;;
	*) exit 3 ;;
	esac
done
RANDOM=$((seed % 32768))
[ "$(id -u)" = 0 ] || { echo 'it takes root to be two users' >&2; exit 3; }
steamer=${STEAMER:-$PWD/bin/steamer}
source_cache=${STEAMER_CACHE:-$HOME/.cache/steamer}
second=64321 # the number of the second user, whom nobody needs to know
work=$(mktemp -d)
chmod 755 "$work"
failed=0

# The user's Docker, in a namespace that stands for the user's machine.
unshare --net sleep infinity &
holder=$!
daemon=
cleanup() {
	[ -z "$daemon" ] || { within docker ps --all --quiet | xargs --no-run-if-empty nsenter --net="/proc/$holder/ns/net" docker rm --force --volumes >/dev/null; kill "$daemon"; wait "$daemon"; } || true
	kill "$holder" || true
	umount "$work/docker" || true # dockerd leaves its own mount of it
	rm -rf "$work"
} 2>/dev/null
trap cleanup EXIT
export DOCKER_HOST=unix://$work/docker.sock
within() { nsenter --net="/proc/$holder/ns/net" "$@"; }
until [ "$(readlink "/proc/$holder/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do read -r -t 0.1 -u "$idle" || true; done
within ip link set lo up
mkdir -p "$work/bin"
cp "$steamer" "$work/bin/steamer" # where both users can run it
printf '{"runtimes": {"steamer": {"path": "%s", "runtimeArgs": ["oci-runtime"]}}, "default-runtime": "steamer"}' "$work/bin/steamer" >"$work/daemon.json"
(exec nsenter --net="/proc/$holder/ns/net" dockerd --config-file "$work/daemon.json" --data-root "$work/docker" --exec-root "$work/exec" --pidfile "$work/pid" --host "$DOCKER_HOST" --group "$second" --log-level warn >"$work/dockerd.log" 2>&1) &
daemon=$!
for ((n = 0; n < 300; n++)); do
	within docker info >/dev/null 2>&1 && break
	kill -0 "$daemon" 2>/dev/null || { tail -n 5 "$work/dockerd.log" >&2; exit 4; }
	read -r -t 0.2 -u "$idle" || true
done

# user N COMMAND...: as the first or the second user, from a checkout and a cache of that user's
# own.
user() {
	local n=$1
	shift
	if [ "$n" = 1 ]; then
		(cd "$work/checkout-1" && STEAMER_CACHE=$work/cache-1 HOME=$work/home-1 within "$@")
	else
		(cd "$work/checkout-2" && STEAMER_CACHE=$work/cache-2 HOME=$work/home-2 within setpriv --reuid "$second" --regid "$second" --clear-groups "$@")
	fi
}
for n in 1 2; do
	mkdir -p "$work/checkout-$n" "$work/cache-$n" "$work/home-$n"
	git archive HEAD | tar -x -C "$work/checkout-$n"
	cp -a "$source_cache/images" "$source_cache/bin" "$work/cache-$n/"
	if [ "$n" = 2 ]; then chown -R "$second:$second" "$work/checkout-2" "$work/cache-2" "$work/home-2"; fi
done
smallest=("$work/bin/steamer" test --topology cloud-native --scenarios none --tenants 10)

# What others have: a service, a network, a volume, and a kind cluster whose node carries no mark of
# Steamer's.
image=$(user 1 "$work/bin/steamer" images build postgresql | awk 'END { print $2 }')
within docker load --quiet --input "$source_cache/images/$(basename "$image" | tr : -).tar" >/dev/null
within docker network create theirs >/dev/null
within docker volume create theirs >/dev/null
within docker run --detach --name service --network theirs --volume theirs:/data --entrypoint sleep "$image" infinity >/dev/null
within docker run --detach --name steamer-control-plane --label io.x-k8s.kind.cluster=steamer --label io.x-k8s.kind.role=control-plane --entrypoint sleep "$image" infinity >/dev/null
within docker run --detach --name machine --label steamer.gitlab.com/cluster=steamer --entrypoint sleep "$image" infinity >/dev/null

# Everything on the Docker but what the second user keeps, which is in $kept; kind's own network on
# a shared Docker is the user's and stays.
kept='^$'
state() {
	within docker ps --all --no-trunc --format '{{.ID}} {{.Names}} {{.State}}' | grep -vE "$kept" | sort
	within docker network ls --no-trunc --format '{{.ID}} {{.Name}}' | grep -v ' kind$' | sort
	within docker volume ls --format '{{.Name}}' | sort >"$work/volumes"
	grep -x theirs "$work/volumes" || true
	within iptables-save | grep -c DOCKER-USER || true
}
state >"$work/before"

row() { printf '%-58s %-12s %-8s %-9s %s\n' "$@"; }
judge() {
	local others=same left=nothing
	state >"$work/after"
	diff -u "$work/before" "$work/after" >"$work/diff" || { others=CHANGED failed=1; }
	find "$work/cache-1/clusters" -type f 2>/dev/null | grep -v '/steamer-owner$' >"$work/left" || true
	[ ! -s "$work/left" ] || { left=SOMETHING failed=1; }
	row "$1" "$2" "$3 s" "$others" "$left"
	[ "$others" = same ] || cat "$work/diff"
	[ "$left" = nothing ] || cat "$work/left"
}

echo "seed $seed"
row 'what' 'exit code' 'took' 'others' 'left'
started=$SECONDS first=0 other=0
user 1 "${smallest[@]}" >"$work/log-1" 2>&1 & one=$!
user 2 "${smallest[@]}" >"$work/log-2" 2>&1 & two=$!
wait "$one" || first=$?
wait "$two" || other=$?
[ "$first$other" = 00 ] || { failed=1; tail -n 20 "$work/log-1" "$work/log-2"; }
judge 'two users and checkouts at once' "$first and $other" "$((SECONDS - started))"
usual=$(((SECONDS - started) / 2 + 5)) # one alone takes about half as long

started=$SECONDS code=0
user 2 "$work/bin/steamer" cluster up >"$work/log-2" 2>&1 || { code=$? failed=1; tail -n 20 "$work/log-2"; }
name=$(user 2 "$work/bin/steamer" cluster list -o json | jq -r '.[] | select(.whose == "mine") | .name' | head -n 1)
state >"$work/before"
judge "the second user keeps $name" "$code" "$((SECONDS - started))"
started=$SECONDS code=0
user 1 "$work/bin/steamer" cluster down --name "$name" >"$work/log-1" 2>&1 || code=$?
[ "$code" = 3 ] || { failed=1; cat "$work/log-1"; }
judge "the first removes $name by name" "$code" "$((SECONDS - started))"
for words in 'gc' 'gc --all' 'down --name steamer'; do
	started=$SECONDS code=0
	# shellcheck disable=SC2086 # words are words
	user 1 "$work/bin/steamer" cluster $words >"$work/log-1" 2>&1 || code=$?
	judge "the first: cluster $words" "$code" "$((SECONDS - started))"
done

# interrupted SIGNAL: a run of the first user that gets a signal at a random moment, while the
# second one's cluster runs.
interrupted() {
	local signal=$1 at=$((RANDOM % usual + 1)) code=0 started=$SECONDS expected=' 130 0 '
	(cd "$work/checkout-1" && STEAMER_CACHE=$work/cache-1 HOME=$work/home-1 exec nsenter --net="/proc/$holder/ns/net" "${smallest[@]}" >"$work/log-1" 2>&1) &
	local pid=$!
	for ((i = 0; i < at * 10; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		read -r -t 0.1 -u "$idle" || true
	done
	kill "-$signal" "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || code=$?
	if [ "$signal" = KILL ]; then
		expected=' 137 0 '
		user 1 "$work/bin/steamer" cluster gc >"$work/gc" 2>&1 || { cat "$work/gc"; failed=1; }
	fi
	case $expected in
	*" $code "*) ;;
	*) failed=1; tail -n 20 "$work/log-1" ;;
	esac
	judge "SIG$signal after $at s: $(grep -a '^▶' "$work/log-1" | tail -n 1)" "$code" "$((SECONDS - started))"
}
for ((n = 0; n < interrupts; n++)); do interrupted INT; done
for ((n = 0; n < kills; n++)); do interrupted KILL; done

user 2 "$work/bin/steamer" cluster down >"$work/log-2" 2>&1 || { failed=1; cat "$work/log-2"; }
[ "$failed" = 0 ] && echo 'harmless' || echo 'NOT harmless' >&2
exit "$failed"
