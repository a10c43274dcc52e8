// Package audit holds the scenarios about the trail that requests leave in OpenBao's audit log.
package audit

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// What the group protects.
const (
	investigators = "investigators, who must be able to tell what happened after the fact"
	readers       = "secrets and tokens from everybody who may read logs"
)

// Where the requirements come from.
const (
	broker   = "openbao/openbao, vault/audit_broker.go and audit/format.go: a record of the request before it is served, one of the answer after"
	receiver = "GitLab EE, ee/lib/api/internal/secrets_manager.rb: what the receiver of audit records reads from them"
	hashes   = "OpenBao API: sys/audit-hash; CVE-2026-46358 (inline-auth headers in audit logs)"
)

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return slices.Concat([]scenario.Scenario{devices(), everyFetch(), httpSink(), httpSinkAbsent()}, records())
}
