#!/usr/bin/env bash
# Runs a long command and shows every 10 s, later every 30 s, how long it has taken, and how much is
# done where that can be counted. Its exit code is the command's.
#   hack/beat.sh build OUT PACKAGE [FLAG...]   go build: packages compiled of those that it needs
#   hack/beat.sh test [FLAG...] [PACKAGE...]   go test: packages tested of all
#   hack/beat.sh run LABEL COMMAND...          anything: time since it printed something
set -euo pipefail
mode=$1
shift
case $mode in
build)
	out=$1 package=$2
	shift 2
	label="go build $(basename "$out")" unit='packages compiled, of at most'
	command=(go build -v "$@" -o "$out" "$package") list=(go list -deps "$@" "$package")
	;;
test) label='go test' unit='packages tested, of' command=(go test "$@") list=(go list "$@") ;;
run)
	label=$1 unit=
	shift
	command=("$@") list=()
	;;
*)
	echo "hack/beat.sh: no mode $mode" >&2
	exit 3
	;;
esac

# show handles one line of the command's output.
show() {
	case $mode:$1 in
	build:*[[:space:]]*) printf '%s\n' "$1" >&2 ;; # a message; other lines of -v name a package
	build:*) count=$((count + 1)) ;;
	test:ok* | test:FAIL[[:space:]]* | test:*'[no test files]') count=$((count + 1)) && printf '%s\n' "$1" ;;
	*) printf '%s\n' "$1" ;;
	esac
	[ "$mode" != run ] || next=$((SECONDS + 10))
}

count=0 total='' next=2 part='' code=0
file=$(mktemp)
trap 'rm -f "$file"' EXIT
exec 3< <(
	"${command[@]}" 2>&1 || code=$?
	echo "$code" >"$file"
)
while :; do
	if IFS= read -r -t 1 line <&3; then
		show "$part$line"
		part=''
	elif [ $? -gt 128 ]; then # a timeout
		part+=$line
	else
		[ -z "$part$line" ] || show "$part$line"
		break
	fi
	if [ "$SECONDS" -ge "$next" ]; then
		next=$((SECONDS + (SECONDS < 60 ? 10 : 30)))
		if [ -n "$unit" ]; then
			[ -n "$total" ] || total=$("${list[@]}" 2>/dev/null | wc -l)
			printf '… %s: %d s, %d %s %d\n' "$label" "$SECONDS" "$count" "$unit" "$total"
		else
			printf '… %s: %d s\n' "$label" "$SECONDS"
		fi >&2
	fi
done
for _ in {1..50}; do # the output ends before the exit code is written
	[ ! -s "$file" ] || exit "$(cat "$file")"
	sleep 0.1
done
exit 1
