#!/usr/bin/env bash
# Builds steamer and k6 with the extension for each platform into the directory $1, with an SBOM for
# each (CycloneDX) and one list of checksums. The same commit and the same Go make the same bytes:
# no path, no time, no build ID goes in.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-dist}")
platforms=${PLATFORMS:-linux/amd64 linux/arm64}
version=$(git describe --tags --match 'v*' --always --dirty)
mkdir -p "$out"

go build -modfile=hack/tools/go.mod -o bin/cyclonedx-gomod github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
sbom=$PWD/bin/cyclonedx-gomod

# program MODULE PACKAGE NAME
program() {
	local platform file
	for platform in $platforms; do
		file=$out/$3-$version-${platform/\//-}
		echo "dist: $(basename "$file")"
		(
			cd "$1"
			export CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/}
			go build -trimpath -ldflags '-s -w -buildid=' -o "$file" "$2"
		)
		"$sbom" bin -json -notimestamp -noserial -output "$file.cdx.json" "$file"
	done
}
program . ./harness/cmd/steamer steamer
program perf ./cmd/k6 k6-openbao
(cd "$out" && sha256sum ./*-"$version"-* | sed 's# \./# #' >SHA256SUMS.binaries && sha256sum --check --quiet SHA256SUMS.binaries)
echo "dist: $out/SHA256SUMS.binaries"
