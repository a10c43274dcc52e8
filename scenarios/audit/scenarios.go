// Package audit holds the scenarios about the trail that requests leave in OpenBao's audit log.
package audit

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// What the group protects.
const (
	investigators = "investigators, who must be able to reconstruct what happened"
	readers       = "secrets and tokens from everyone who may read logs"
)

// Where the requirements come from.
const (
	broker = "openbao/openbao, vault/audit_broker.go and audit/format.go: one record of the request before " +
		"it is served, and one of the response"
	receiver = "GitLab EE, ee/lib/api/internal/secrets_manager.rb: the fields that the receiver of audit records reads"
	hashes   = "OpenBao API: sys/audit-hash; CVE-2026-46358 (inline-auth headers in audit logs)"
)

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return slices.Concat([]scenario.Scenario{devices(), everyFetch(), httpSink(), httpSinkAbsent()}, records())
}
