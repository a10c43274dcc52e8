#!/usr/bin/env bash
# Runs jobs of .gitlab-ci.yml with gitlab-ci-local's shell executor, as in a merge request: the scripts, variables and artifacts that GitLab would use, on
# this machine and without Docker. A job gets a copy of the work tree; Go's caches and Steamer's are this machine's, so that nothing is built twice.
# Usage: hack/ci/run.sh JOB...
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in node rsync git; do
	command -v "$tool" >/dev/null || { echo "ci-jobs: $tool is missing; on Debian: apt-get install nodejs npm rsync git" >&2; exit 4; }
done
# Relative to the work tree, as gitlab-ci-local wants it; it is ignored by git and removed at the end.
state=bin/ci-jobs
rm -rf "$state"
trap 'rm -rf "$state"' EXIT
# What the predefined variables say on this machine is not what they would in a merge request.
hack/ci/node_modules/.bin/gitlab-ci-local --force-shell-executor --shell-isolation --state-dir "$state" --no-artifacts-to-source \
	--ignore-predefined-vars CI_PIPELINE_SOURCE,CI_COMMIT_BRANCH,CI_COMMIT_TAG,CI_DEFAULT_BRANCH --variable CI_PIPELINE_SOURCE=merge_request_event \
	--variable CI_COMMIT_BRANCH= --variable CI_COMMIT_TAG= --variable CI_DEFAULT_BRANCH=main \
	--variable "GOPATH=$(go env GOPATH)" --variable "GOCACHE=$(go env GOCACHE)" \
	--variable "STEAMER_CACHE=${STEAMER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/steamer}" "$@"
