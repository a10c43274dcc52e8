package access

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

// The parties that have a login at OpenBao.
const (
	asJob   = "job"
	asOwner = "owner"
	asRails = "rails"
)

// deed is one request by one party. {ns}, {kv} and {secret} in the path stand for the tenant's
// namespace, its secrets engine and its first secret.
type deed struct {
	who, name, title string
	method, path     string
	body             any
	want             int  // status; 403 must be the policy's and not the login's
	own              bool // would change something where it is not refused, so it gets a tenant of its own
}

// nobodyReads is a body for writes.
var nobodyReads = map[string]any{"data": map[string]any{"value": "x"}} //nolint:gochecknoglobals // constant

func capabilities() []deed {
	policy := map[string]any{"policy": `{"path":{"secrets/kv/*":{"capabilities":["read"]}}}`}
	versions := map[string]any{"versions": []int{1}}
	const no, yes = http.StatusForbidden, http.StatusOK
	return []deed{
		// Catches, for all of a job's: a policy that grants more than reading one secret, or in
		// more places.
		{
			asJob, "reads-metadata", "A job reads the metadata of a secret that it may read", "GET",
			"{kv}/metadata/explicit/{secret}", nil, yes, false,
		},
		{asJob, "lists", "A job cannot list the names of secrets", "GET", "{kv}/metadata/explicit?list=true", nil, no, false},
		{asJob, "lists-all", "A job cannot list the secrets engine", "GET", "{kv}/metadata/?list=true", nil, no, false},
		{
			asJob, "lists-by-method", "A job cannot list with the method LIST either", "LIST", "{kv}/metadata/explicit", nil, no,
			false,
		},
		{asJob, "scans", "A job cannot scan for names of secrets", "SCAN", "{kv}/metadata/explicit", nil, no, false},
		{
			asJob, "lists-details", "A job cannot list secrets with their details", "GET",
			"{kv}/detailed-metadata/explicit?list=true", nil, no, false,
		},
		{
			asJob, "reads-other-metadata", "A job cannot read the metadata of a secret that it may not read", "GET",
			"{kv}/metadata/explicit/STEAMER_NO_SUCH", nil, no, false,
		},
		{
			asJob, "reads-subkeys", "A job cannot read a secret's keys", "GET", "{kv}/subkeys/explicit/{secret}", nil, no,
			false,
		},
		{asJob, "reads-engine", "A job cannot read the secrets engine's configuration", "GET", "{kv}/config", nil, no, false},
		{asJob, "creates", "A job cannot create a secret", "POST", "{kv}/data/explicit/STEAMER_NEW", nobodyReads, no, true},
		{
			asJob, "writes", "A job cannot write the secret that it may read", "POST", "{kv}/data/explicit/{secret}",
			nobodyReads, no, true,
		},
		{
			asJob, "writes-metadata", "A job cannot write a secret's metadata", "POST", "{kv}/metadata/explicit/{secret}",
			map[string]any{"max_versions": 1},
			no, true,
		},
		{
			asJob, "deletes-value", "A job cannot delete a secret's latest value", "DELETE", "{kv}/data/explicit/{secret}", nil,
			no, true,
		},
		{asJob, "deletes-secret", "A job cannot delete a secret", "DELETE", "{kv}/metadata/explicit/{secret}", nil, no, true},
		{
			asJob, "deletes-version", "A job cannot delete a version", "POST", "{kv}/delete/explicit/{secret}", versions, no,
			true,
		},
		{
			asJob, "destroys-version", "A job cannot destroy a version", "POST", "{kv}/destroy/explicit/{secret}", versions, no,
			true,
		},
		{
			asJob, "undeletes-version", "A job cannot bring back a version", "POST", "{kv}/undelete/explicit/{secret}", versions,
			no, true,
		},
		{asJob, "reads-mounts", "A job cannot read its namespace's mounts", "GET", "{ns}/sys/mounts", nil, no, false},
		{asJob, "reads-root-mounts", "A job cannot read the instance's mounts", "GET", "sys/mounts", nil, no, false},
		{asJob, "reads-logins", "A job cannot read its namespace's login methods", "GET", "{ns}/sys/auth", nil, no, false},
		{
			asJob, "reads-login-configuration", "A job cannot read how its login is configured", "GET",
			"{ns}/auth/pipeline_jwt/config", nil, no, false,
		},
		{
			asJob, "reads-policy", "A job cannot read its own policy", "GET", "{ns}/sys/policies/acl/pipelines/global", nil, no,
			false,
		},
		{
			asJob, "lists-policies", "A job cannot list policies, whose names tell environments and branches", "GET",
			"{ns}/sys/policies/acl?list=true", nil, no, false,
		},
		{
			asJob, "writes-policy", "A job cannot write its own policy", "POST", "{ns}/sys/policies/acl/pipelines/global",
			policy, no, true,
		},
		{asJob, "lists-namespaces", "A job cannot list namespaces", "GET", "{ns}/sys/namespaces?list=true", nil, no, false},
		{
			asJob, "lists-root-namespaces", "A job cannot list the instance's groups", "GET", "sys/namespaces?list=true", nil,
			no, false,
		},
		{
			asJob, "makes-namespace", "A job cannot make a namespace", "POST", "{ns}/sys/namespaces/steamer",
			map[string]any{},
			no, true,
		},
		{
			asJob, "lists-entities", "A job cannot list who has logged in", "GET", "{ns}/identity/entity/id?list=true", nil, no,
			false,
		},
		{
			asJob, "makes-token", "A job cannot make itself a token that lasts", "POST", "{ns}/auth/token/create",
			map[string]any{"ttl": "1h"},
			no, true,
		},
		{asJob, "lists-audit", "A job cannot read where the audit log goes", "GET", "sys/audit", nil, no, false},
		{
			asJob, "reads-configuration", "A job cannot read the server's configuration", "GET", "sys/config/state/sanitized",
			nil, no, false,
		},
		{asJob, "reads-storage", "A job cannot read the storage", "GET", "sys/raw/core/mounts", nil, no, false},
		{asJob, "lists-leases", "A job cannot look up leases", "GET", "{ns}/sys/leases/lookup/?list=true", nil, no, false},
		// Catches, for the owner's: a user policy that Rails relies on and that lost a part, or one
		// that lets Rails' users see values.
		{asOwner, "lists", "An owner lists the names of secrets", "GET", "{kv}/metadata/explicit?list=true", nil, yes, false},
		{
			asOwner, "lists-details", "An owner lists secrets with their details, as GitLab's page does", "GET",
			"{kv}/detailed-metadata/explicit?list=true", nil, yes, false,
		},
		{
			asOwner, "reads-metadata", "An owner reads a secret's metadata", "GET", "{kv}/metadata/explicit/{secret}", nil, yes,
			false,
		},
		{asOwner, "creates", "An owner creates a secret", "POST", "{kv}/data/explicit/STEAMER_NEW", nobodyReads, yes, true},
		{
			asOwner, "writes", "An owner gives a secret a new value", "POST", "{kv}/data/explicit/{secret}", nobodyReads, yes,
			true,
		},
		{
			asOwner, "deletes", "An owner deletes a secret", "DELETE", "{kv}/metadata/explicit/{secret}", nil,
			http.StatusNoContent, true,
		},
		{asOwner, "reads-value", "An owner cannot read a value", "GET", "{kv}/data/explicit/{secret}", nil, no, false},
		{
			asOwner, "reads-policy", "An owner cannot read policies", "GET", "{ns}/sys/policies/acl/pipelines/global", nil, no,
			false,
		},
		{
			asOwner, "writes-policy", "An owner cannot write policies: Rails does", "POST",
			"{ns}/sys/policies/acl/pipelines/global", policy, no, true,
		},
		{asOwner, "reads-mounts", "An owner cannot read mounts", "GET", "{ns}/sys/mounts", nil, no, false},
		// Catches, for Rails': a privileged policy that does not reach into namespaces, so that
		// GitLab cannot provision.
		{
			asRails, "reads-policy", "Rails reads a project's policy, to add to it", "GET",
			"{ns}/sys/policies/acl/pipelines/global", nil, yes, false,
		},
		{
			asRails, "writes-policy", "Rails writes a project's policy", "POST", "{ns}/sys/policies/acl/pipelines/global",
			policy, http.StatusNoContent, true,
		},
		{
			asRails, "deletes-policy", "Rails deletes a project's policy", "DELETE", "{ns}/sys/policies/acl/pipelines/global",
			nil, http.StatusNoContent, true,
		},
		{
			asRails, "lists-secrets", "Rails lists a project's secrets, to tell whether a policy is still needed", "GET",
			"{kv}/detailed-metadata/explicit?list=true", nil, yes, false,
		},
		{asRails, "reads-mounts", "Rails reads a project's mounts", "GET", "{ns}/sys/mounts", nil, yes, false},
	}
}

func whatTheyMayDo() []scenario.Scenario {
	var out []scenario.Scenario
	protects := map[string]string{
		asJob:   "names, policies and values from a job that should read one value and nothing else",
		asOwner: "GitLab's pages on secrets, and values from everybody who may only write them",
		asRails: "GitLab's ability to provision projects and to change who may read what",
	}
	for _, d := range capabilities() {
		kind := scenario.Functional
		if d.want == http.StatusForbidden {
			kind = scenario.Abuse
		}
		out = append(out, scenario.Scenario{
			ID: "access/" + d.who + "-" + d.name, Title: d.title, Protects: protects[d.who],
			Source: "GitLab EE, pipeline, user and privileged policies; spec authentication_boundaries_spec.rb",
			Kind:   kind, Budget: time.Minute, Parallel: true,
			Test: func(ctx context.Context, t scenario.T, env *scenario.Env) { d.test(ctx, t, env) },
		})
	}
	return out
}

func (d deed) test(ctx context.Context, t scenario.T, env *scenario.Env) {
	if d.own {
		secrets := []gitlab.Secret{{Name: "SECRET_1", Environment: gitlab.Any, Branch: gitlab.Any, Version: 1}}
		tenancy.Each(ctx, t, env, secrets, func(tenant gitlab.Tenant) { d.do(ctx, t, env, tenant) })
		return
	}
	for _, tenant := range env.Sample(2) {
		d.do(ctx, t, env, tenant)
	}
}

func (d deed) do(ctx context.Context, t scenario.T, env *scenario.Env, tenant gitlab.Tenant) {
	secret := tenant.Secrets[0]
	kv := strings.TrimSuffix(tenant.SecretPath, "/data/explicit")
	path := strings.NewReplacer("{ns}", tenant.Name, "{kv}", kv, "{secret}", secret.Name).Replace(d.path)
	var r *openbao.Response
	var err error
	switch d.who {
	case asJob:
		r, err = tenancy.AsJob(ctx, env, tenant, openbao.Request{Method: d.method, Path: path, Body: d.body})
	case asOwner:
		r, err = tenancy.AsUser(ctx, env, tenant, d.method, path, d.body)
	default:
		r, err = env.Rails(ctx, d.method, path, d.body)
	}
	require.NoError(t, err)
	if r.Status != d.want || r.InlineAuthFailed {
		t.Errorf("%s %s by the %s: status %d, login failed %v: %s; want %d", d.method, path, d.who, r.Status,
			r.InlineAuthFailed, r.Message(), d.want)
	}
	if d.want == http.StatusForbidden && d.own { // what was refused changed nothing
		if err := env.Check(ctx, tenant, secret); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}
