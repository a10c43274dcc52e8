#!/usr/bin/env bash
# Upgrades charts/openbao on a cluster to charts that are worse, each in another way, and from its
# last release to itself. Each worse one has to end in FAIL with what rendering predicts and what
# the cluster shows, and the last one in PASS. It takes one to two minutes a chart on two cores; they
# share a cluster, which is removed when done.
#
#   secret-lost      the new release no longer has a Secret of the old one
#   secret-renamed   the new pods read a new unseal key from a Secret of another name
#   selector         the Deployment selects other pods
#   too-long         no pod is ready for 45 s: the outage budget of perf/slo.yaml decides
#   as-it-is         0.1.0 to head
#
# Usage: hack/prove-upgrade.sh [NAME...]
set -euo pipefail
. "$(dirname "$0")/worse.sh"

# prove NAME CODE FROM TO REASON... upgrades FROM to TO; each REASON has to be in the report.
prove() {
	local name=$1 want=$2 from=$3 to=$4 code=0 report
	shift 4
	"$steamer" upgrade --from "$from" --to "$to" --tenants 10 --ready-timeout 90s --keep --reuse --cluster "$cluster" \
		--output-dir "$work/$name" >"$work/log" 2>&1 || code=$?
	report=$(cat "$work/$name"/upgrade-*/upgrade.md 2>/dev/null || true)
	came "$name" "$code" "$want" "$report" "$@"
}

judge() {
	case $1 in
	secret-lost)
		printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: openbao-extra}\nstringData: {token: abc}\n' >"$work/openbao/templates/extra.yaml"
		prove "$1" 1 "$work/openbao" head 'predicted secret-lost: Secret/openbao-extra' \
			'key token of Secret openbao-extra is gone' ;;
	secret-renamed)
		edit templates/_helpers.tpl 'printf "%s-static-unseal"' 'printf "%s-unseal"'
		prove "$1" 1 head "$work/openbao" 'predicted secret-renamed: Secret/openbao-unseal' 'upgrade on the cluster:' ;;
	selector)
		edit templates/deployment.yaml 'matchLabels: {{- include "openbao.selectorLabels" . | nindent 6 }}' \
			$'matchLabels:\n      app.kubernetes.io/instance: {{ .Release.Name }}'
		prove "$1" 1 head "$work/openbao" 'predicted selector: Deployment/openbao' 'field is immutable' ;;
	too-long)
		edit values.yaml $'\nreadinessProbe:\n' $'\nreadinessProbe:\n  initialDelaySeconds: 45\n'
		prove "$1" 1 head "$work/openbao" 'predicted outage:' 'outage budget of change upgrade missed' 'the longest gap is' \
			"by the chart's own probes no fetch can work for 44 s" ;;
	as-it-is)
		prove "$1" 0 0.1.0 head 'PASS' ;;
	*)
		echo "prove-upgrade: there is no chart $1" >&2
		exit 3 ;;
	esac
}

[ "$#" -gt 0 ] || set -- secret-lost secret-renamed selector too-long as-it-is
each "$@"
