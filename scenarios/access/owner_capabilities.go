package access

import (
	"net/http"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

// ownerCapabilities catch a user policy that lost a part that Rails relies on, and one that lets
// users see values.
func ownerCapabilities() []scenario.Scenario {
	common := scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Protects: "GitLab's pages for secrets, and values from users who may only write them",
		Source:   capabilitySource,
		Kind:     scenario.Functional, Budget: time.Minute, Parallel: true,
	}
	refused := common
	refused.Kind = scenario.Abuse
	return slices.Concat(
		scenario.Table(common,
			scenario.Row("access/owner-lists", "An owner can list the names of secrets",
				request(tenancy.AsUser, "GET", "{kv}/metadata/explicit?list=true", http.StatusOK)),
			scenario.Needing(scenario.FeatureScan, scenario.Row("access/owner-lists-details",
				"An owner can list secrets with their details, as GitLab's page does",
				request(tenancy.AsUser, "GET", "{kv}/detailed-metadata/explicit?list=true", http.StatusOK))),
			scenario.Row("access/owner-reads-metadata", "An owner can read a secret's metadata",
				request(tenancy.AsUser, "GET", "{kv}/metadata/explicit/{secret}", http.StatusOK)),
			scenario.Row("access/owner-creates", "An owner can create a secret",
				ownChange(tenancy.AsUser, "POST", "{kv}/data/explicit/STEAMER_NEW", someValue(), http.StatusOK,
					thenReads(tenancy.AsUser, "{kv}/metadata/explicit/STEAMER_NEW", http.StatusOK, `"current_version":1`))),
			scenario.Row("access/owner-writes", "An owner can give a secret a new value",
				ownChange(tenancy.AsUser, "POST", "{kv}/data/explicit/{secret}", someValue(), http.StatusOK, jobReads("x"))),
			scenario.Row("access/owner-deletes", "An owner can delete a secret",
				ownChange(tenancy.AsUser, "DELETE", "{kv}/metadata/explicit/{secret}", nil, http.StatusNoContent,
					thenReads(tenancy.AsUser, "{kv}/metadata/explicit/{secret}", http.StatusNotFound, ""))),
		),
		scenario.Table(refused,
			scenario.Row("access/owner-reads-value", "An owner cannot read a value",
				request(tenancy.AsUser, "GET", "{kv}/data/explicit/{secret}", http.StatusForbidden)),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/owner-reads-policy",
				"An owner cannot read policies",
				request(tenancy.AsUser, "GET", "{ns}/sys/policies/acl/pipelines/global", http.StatusForbidden))),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/owner-writes-policy",
				"An owner cannot write policies; only Rails can",
				ownRequest(tenancy.AsUser, "POST", "{ns}/sys/policies/acl/pipelines/global", somePolicy(), http.StatusForbidden))),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/owner-reads-mounts", "An owner cannot read mounts",
				request(tenancy.AsUser, "GET", "{ns}/sys/mounts", http.StatusForbidden))),
		),
	)
}
