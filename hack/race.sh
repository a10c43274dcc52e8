#!/usr/bin/env bash
# Tests the modules named as arguments under the race detector, and prints the coverage of each;
# that of the first comes last, where GitLab reads it. The profiles stay in bin/coverage.
set -euo pipefail
profiles=$PWD/bin/coverage
rm -rf "$profiles"
mkdir -p "$profiles"
profile() { # of a module
	name=$(echo "${1#./}" | tr / -)
	echo "$profiles/${name/#./harness}.out"
}
beat=$(dirname "$(realpath "$0")")/beat.sh
failed=0
for module in "$@"; do
	file=$(profile "$module")
	(cd "$module" && "$beat" test -race -covermode=atomic -coverprofile="$file" ./...) || failed=1
done
for ((i = $#; i > 0; i--)); do
	module=${!i}
	if [ -s "$(profile "$module")" ]; then
		echo "coverage of module $module:"
		(cd "$module" && go tool cover -func="$(profile "$module")") | tail -1
	fi
done
exit "$failed"
