#!/usr/bin/env bash
# Formats, vets and checks the modules named as arguments; prints what is wrong and fails.
set -euo pipefail
beat=$(dirname "$(realpath "$0")")/beat.sh

# step COMMAND...: shows that it still runs
step() { "$beat" run "lint: $(basename "$PWD"): $*" "$@"; }

unformatted=$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofumpt -l)
if [ -n "$unformatted" ]; then
	printf 'gofumpt -w would change:\n%s\n' "$unformatted" >&2
	exit 1
fi
long=$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 wc -l | awk '$2 != "total" && $1 > 400 {print $2 " (" $1 " lines)"}')
if [ -n "$long" ]; then
	printf 'files over 400 lines:\n%s\n' "$long" >&2
	exit 1
fi
wide=$(git ls-files -z --cached --others --exclude-standard '*.go' | LC_ALL=C.UTF-8 xargs -0 grep -nP \
	'^(// .{98,}|\t// .{94,}|\t\t// .{90,}|\t\t\t// .{86,}|\t\t\t\t// .{82,})$' || true)
if [ -n "$wide" ]; then # a tab counts as four
	printf 'comments over 100 columns:\n%s\n' "$wide" >&2
	exit 1
fi
git ls-files -z '*.sh' .ci/run | xargs -0 -n1 bash -n
for module in "$@"; do
	(
		cd "$module"
		step go vet ./...
		step staticcheck ./...
		if [ "$module" = . ]; then # the harness is to compile and vet on a Mac as well
			step golangci-lint run ./...
			GOOS=darwin GOARCH=arm64 step go vet ./harness/... ./scenarios/...
		fi
	)
done
echo "lint: clean"
