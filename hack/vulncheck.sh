#!/usr/bin/env bash
# Runs govulncheck over the modules named as arguments. VULNDB is the database: a URL, or "module"
# for the one in the Go module golang.org/x/vulndb, which the Go proxy and its checksums serve where
# the vulnerability database itself is out of reach.
set -euo pipefail
cd "$(dirname "$0")/.."
db=${VULNDB:-https://vuln.go.dev}

go build -modfile=hack/tools/go.mod -o bin/govulncheck golang.org/x/vuln/cmd/govulncheck
if [ "$db" = module ]; then
	version=${VULNDB_VERSION:-latest}
	read -r found dir < <(go mod download -json "golang.org/x/vulndb@$version" | sed -n 's/^\t"Version": "\(.*\)",$/\1/p; s/^\t"Dir": "\(.*\)",$/\1/p' | paste -sd ' ')
	echo "vulncheck: indexing golang.org/x/vulndb $found"
	rm -rf bin/vulndb
	GOFLAGS=-mod=mod go run "golang.org/x/vulndb/cmd/indexdb@$found" -out bin/vulndb -vulns "$dir/data/osv"
	db=file://$PWD/bin/vulndb
fi
failed=0
for module in "$@"; do
	echo "== govulncheck: $module"
	code=0
	(cd "$module" && "$OLDPWD/bin/govulncheck" -db "$db" ./...) || code=$?
	case $code in
	0) ;;
	3) failed=3 ;; # govulncheck's code for findings
	*)
		echo "vulncheck: $module could not be checked (code $code). Does $db answer? VULNDB=module takes the database from the Go proxy." >&2
		exit 4
		;;
	esac
done
[ "$failed" = 0 ] || { echo 'vulncheck: the code calls vulnerable functions, see above' >&2; exit 1; }
echo 'vulncheck: clean'
