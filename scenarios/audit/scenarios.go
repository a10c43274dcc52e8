// Package audit holds the scenarios about the trail that requests leave in OpenBao's audit log.
package audit

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/records"
)

// Where the requirements come from.
const (
	broker   = "openbao/openbao, vault/audit_broker.go and audit/format.go: a record of the request before it is served, one of the answer after"
	receiver = "GitLab EE, ee/lib/api/internal/secrets_manager.rb: what the receiver of audit records reads from them"
	hashes   = "OpenBao API: sys/audit-hash; CVE-2026-46358 (inline-auth headers in audit logs)"
)

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	all := []scenario.Scenario{devices(), everyFetch(), httpSink(), httpSinkAbsent()}
	for _, row := range rows() {
		all = append(all, row.scenario())
	}
	return all
}

// row is one request and what the audit log has to say of it.
type row struct {
	name, title, protects, source string
	// do makes the request and returns the JWT that it carried.
	do func(ctx context.Context, w *witness) (jwt string, err error)
	// holds judges the records of it.
	holds func(ctx context.Context, t scenario.T, w *witness, act *records.Act)
}

// witness is what a row works with: a tenant and one of its secrets.
type witness struct {
	env    *scenario.Env
	trail  *records.Trail
	tenant gitlab.Tenant
	secret gitlab.Secret
	other  gitlab.Tenant
	claims map[string]any // of the last JWT that job signed
	jwt    string
}

// job signs the JWT of a job of the tenant and remembers it.
func (w *witness) job(change func(claims map[string]any)) (string, error) {
	w.claims = w.env.Issuer.PipelineClaims(w.env.Audience, w.tenant, gitlab.DefaultJob())
	if change != nil {
		change(w.claims)
	}
	jwt, err := w.env.Issuer.Sign(w.claims, nil)
	w.jwt = jwt
	return jwt, err
}

func (r row) scenario() scenario.Scenario {
	return scenario.Scenario{
		ID: "audit/" + r.name, Title: r.title, Protects: r.protects, Source: r.source,
		Features: []scenario.Feature{scenario.FeatureAudit},
		Kind:     scenario.Functional, Cost: scenario.Slow, Budget: 2 * time.Minute, Parallel: true,
		// Catches: an audit device that is off, raw, filtered or set up on one node only; a log
		// that says who, but not on behalf of whom.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			trail, err := records.Follow(ctx, env)
			require.NoError(t, err)
			for _, tenant := range env.Sample(2) {
				w := &witness{
					env: env, trail: trail, tenant: tenant, secret: tenant.Secrets[0],
					other: env.Tenants[len(env.Tenants)-1],
				}
				if w.other.Name == tenant.Name {
					w.other = env.Tenants[0]
				}
				jwt, err := r.do(ctx, w)
				require.NoError(t, err)
				w.jwt = jwt
				r.holds(ctx, t, w, trail.Await(ctx, t, tenant.Name+": "+r.name, jwt))
			}
		},
	}
}
