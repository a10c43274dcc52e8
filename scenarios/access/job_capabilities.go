package access

import (
	"net/http"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

// jobCapabilities catch a policy that grants a job more than reading one secret, or in more
// places.
func jobCapabilities() []scenario.Scenario {
	firstVersion := map[string]any{"versions": []int{1}}
	common := scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Protects: "names, policies and values from a job that should read one value and nothing else",
		Source:   capabilitySource,
		Kind:     scenario.Functional, Budget: time.Minute, Parallel: true,
	}
	refused := common
	refused.Kind = scenario.Abuse
	return slices.Concat(
		scenario.Table(common,
			scenario.Row("access/job-reads-metadata", "A job can read the metadata of a secret that it can read",
				request(tenancy.AsJob, "GET", "{kv}/metadata/explicit/{secret}", http.StatusOK)),
		),
		scenario.Table(refused,
			scenario.Row("access/job-lists", "A job cannot list the names of secrets",
				jobMayNot("GET", "{kv}/metadata/explicit?list=true")),
			scenario.Row("access/job-lists-all", "A job cannot list the secrets engine",
				jobMayNot("GET", "{kv}/metadata/?list=true")),
			scenario.Row("access/job-lists-by-method", "A job cannot list secrets with the LIST method",
				jobMayNot("LIST", "{kv}/metadata/explicit")),
			scenario.Needing(scenario.FeatureScan, scenario.Row("access/job-scans", "A job cannot scan for the names of secrets",
				jobMayNot("SCAN", "{kv}/metadata/explicit"))),
			scenario.Needing(scenario.FeatureScan, scenario.Row("access/job-lists-details",
				"A job cannot list secrets with their details",
				jobMayNot("GET", "{kv}/detailed-metadata/explicit?list=true"))),
			scenario.Row("access/job-reads-other-metadata",
				"A job cannot read the metadata of a secret that it cannot read",
				jobMayNot("GET", "{kv}/metadata/explicit/STEAMER_NO_SUCH")),
			scenario.Row("access/job-reads-subkeys", "A job cannot read a secret's subkeys",
				jobMayNot("GET", "{kv}/subkeys/explicit/{secret}")),
			scenario.Row("access/job-reads-engine", "A job cannot read the configuration of the secrets engine",
				jobMayNot("GET", "{kv}/config")),
			scenario.Row("access/job-creates", "A job cannot create a secret",
				jobMayNotChange("POST", "{kv}/data/explicit/STEAMER_NEW", someValue())),
			scenario.Row("access/job-writes", "A job cannot overwrite a secret that it can read",
				jobMayNotChange("POST", "{kv}/data/explicit/{secret}", someValue())),
			scenario.Row("access/job-writes-metadata", "A job cannot write a secret's metadata",
				jobMayNotChange("POST", "{kv}/metadata/explicit/{secret}", map[string]any{"max_versions": 1})),
			scenario.Row("access/job-deletes-value", "A job cannot delete a secret's latest value",
				jobMayNotChange("DELETE", "{kv}/data/explicit/{secret}", nil)),
			scenario.Row("access/job-deletes-secret", "A job cannot delete a secret",
				jobMayNotChange("DELETE", "{kv}/metadata/explicit/{secret}", nil)),
			scenario.Row("access/job-deletes-version", "A job cannot delete a version",
				jobMayNotChange("POST", "{kv}/delete/explicit/{secret}", firstVersion)),
			scenario.Row("access/job-destroys-version", "A job cannot destroy a version",
				jobMayNotChange("POST", "{kv}/destroy/explicit/{secret}", firstVersion)),
			scenario.Row("access/job-undeletes-version", "A job cannot restore a deleted version",
				jobMayNotChange("POST", "{kv}/undelete/explicit/{secret}", firstVersion)),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-reads-mounts",
				"A job cannot read its namespace's mounts",
				jobMayNot("GET", "{ns}/sys/mounts"))),
			scenario.Row("access/job-reads-root-mounts", "A job cannot read the instance's mounts",
				jobMayNot("GET", "sys/mounts")),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-reads-logins",
				"A job cannot read its namespace's auth methods",
				jobMayNot("GET", "{ns}/sys/auth"))),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-reads-login-configuration",
				"A job cannot read the configuration of its auth method",
				jobMayNot("GET", "{ns}/auth/pipeline_jwt/config"))),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-lists-roles",
				"A job cannot list the roles of its auth method",
				jobMayNot("GET", "{ns}/auth/pipeline_jwt/role?list=true"))),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-reads-policy",
				"A job cannot read its own policy",
				jobMayNot("GET", "{ns}/sys/policies/acl/pipelines/global"))),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-lists-policies",
				"A job cannot list policies, whose names reveal environments and branches",
				jobMayNot("GET", "{ns}/sys/policies/acl?list=true"))),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-writes-policy",
				"A job cannot write its own policy",
				jobMayNotChange("POST", "{ns}/sys/policies/acl/pipelines/global", somePolicy()))),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-lists-namespaces",
				"A job cannot list namespaces",
				jobMayNot("GET", "{ns}/sys/namespaces?list=true"))),
			scenario.Row("access/job-lists-root-namespaces", "A job cannot list the instance's top-level namespaces",
				jobMayNot("GET", "sys/namespaces?list=true")),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-makes-namespace",
				"A job cannot create a namespace",
				jobMayNotChange("POST", "{ns}/sys/namespaces/steamer", map[string]any{}))),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-lists-entities",
				"A job cannot list the identities that logged in",
				jobMayNot("GET", "{ns}/identity/entity/id?list=true"))),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-makes-token",
				"A job cannot create a long-lived token",
				jobMayNotChange("POST", "{ns}/auth/token/create", map[string]any{"ttl": "1h"}))),
			scenario.Row("access/job-lists-audit", "A job cannot list audit devices", jobMayNot("GET", "sys/audit")),
			scenario.Row("access/job-reads-configuration", "A job cannot read the server's configuration",
				jobMayNot("GET", "sys/config/state/sanitized")),
			scenario.Row("access/job-reads-storage", "A job cannot read the raw storage",
				jobMayNot("GET", "sys/raw/core/mounts")),
			scenario.Needing(scenario.FeatureNamespaces, scenario.Row("access/job-lists-leases", "A job cannot list leases",
				jobMayNot("GET", "{ns}/sys/leases/lookup/?list=true"))),
		),
	)
}

func jobMayNot(method, path string) scenario.Test {
	return request(tenancy.AsJob, method, path, http.StatusForbidden)
}

func jobMayNotChange(method, path string, body any) scenario.Test {
	return ownRequest(tenancy.AsJob, method, path, body, http.StatusForbidden)
}
