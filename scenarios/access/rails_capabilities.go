package access

import (
	"net/http"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// railsCapabilities catch a privileged policy that does not reach into namespaces, so that GitLab
// cannot provision.
func railsCapabilities() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Subject:  scenario.SubjectChart,
		Features: []scenario.Feature{scenario.FeatureNamespaces},
		Protects: "GitLab's ability to provision projects and to change access to secrets",
		Source:   capabilitySource,
		Kind:     scenario.Functional, Budget: time.Minute, Parallel: true,
	},
		scenario.Row("access/rails-reads-policy", "Rails can read a project's policy",
			request(asRails, "GET", "{ns}/sys/policies/acl/pipelines/global", http.StatusOK)),
		scenario.Row("access/rails-writes-policy", "Rails can write a project's policy",
			ownChange(asRails, "POST", "{ns}/sys/policies/acl/pipelines/global", somePolicy(), http.StatusNoContent,
				thenReads(asRails, "{ns}/sys/policies/acl/pipelines/global", http.StatusOK, "secrets/kv/*"))),
		scenario.Row("access/rails-deletes-policy", "Rails can delete a project's policy",
			ownChange(asRails, "DELETE", "{ns}/sys/policies/acl/pipelines/global", nil, http.StatusNoContent,
				thenReads(asRails, "{ns}/sys/policies/acl/pipelines/global", http.StatusNotFound, ""))),
		scenario.Row("access/rails-lists-secrets", "Rails can list a project's secrets",
			request(asRails, "GET", "{kv}/detailed-metadata/explicit?list=true", http.StatusOK)),
		scenario.Row("access/rails-reads-mounts", "Rails can read a project's mounts",
			request(asRails, "GET", "{ns}/sys/mounts", http.StatusOK)),
	)
}
