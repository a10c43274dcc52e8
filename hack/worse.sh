# Sourced by proofs that judge charts which are worse than charts/openbao. It moves to the tree's
# root and gives them a directory $work, a cluster name $cluster that is removed at the end if it is
# there, and the functions below. $failed is 1 once a proof has come out wrong.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
proof=$(basename "$0" .sh)
steamer=${STEAMER:-bin/steamer}
work=$(mktemp -d)
cluster=$proof-$$
trap 'rm -rf "$work"; ! "$steamer" cluster list -o json 2>/dev/null | grep -q "\"$cluster\"" || "$steamer" cluster down --name "$cluster"' EXIT
failed=0

# copy makes a new copy of the chart.
copy() {
	rm -rf "$work/openbao"
	cp -r charts/openbao "$work/openbao"
}

# edit FILE OLD NEW replaces text in the copy of the chart; text that is not there is an error,
# because the chart has moved on.
edit() {
	local file=$work/openbao/$1 text
	text=$(<"$file")
	[[ $text == *"$2"* ]] || { echo "$proof: $1 does not hold: $2" >&2; exit 5; }
	printf '%s\n' "${text//"$2"/"$3"}" >"$file"
}

# came NAME CODE WANT TEXT REASON... says whether an exit code is the one that was wanted and each
# REASON is in TEXT; else it shows the end of $work/log.
came() {
	local name=$1 code=$2 want=$3 text=$4 reason missing=()
	shift 4
	for reason in "$@"; do [[ $text == *"$reason"* ]] || missing+=("$reason"); done
	if [ "$code" = "$want" ] && [ "${#missing[@]}" = 0 ]; then
		printf 'right  %s: exit code %d\n' "$name" "$code"
		return
	fi
	printf 'WRONG  %s: exit code %d, want %d; not there: %s\n' "$name" "$code" "$want" "${missing[*]-}" >&2
	tail -n 30 "$work/log" >&2
	failed=1
}

# each NAME... judges the charts of those names by the function judge.
each() {
	local name
	for name in "$@"; do
		copy
		judge "$name"
	done
	exit "$failed"
}
