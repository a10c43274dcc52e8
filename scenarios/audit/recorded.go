package audit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

// records catch an audit device that is off, raw, filtered or enabled on only one node, and
// records without the user on whose behalf a request was made.
func records() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Subject:  scenario.SubjectChart,
		Features: []scenario.Feature{scenario.FeatureAudit},
		Kind:     scenario.Functional, Budget: 2 * time.Minute, Parallel: true,
	},
		scenario.Scenario{
			ID: "audit/fetch-four-records", Title: "A fetch leaves four records: request and response of login and read",
			Features: []scenario.Feature{scenario.FeatureAudit, scenario.FeatureInlineAuth},
			Protects: investigators, Source: broker, Test: recorded(fetch, fourRecords),
		},
		scenario.Scenario{
			ID: "audit/fetch-attributed", Subject: scenario.SubjectServer,
			Features: []scenario.Feature{scenario.FeatureAudit, scenario.FeatureInlineAuth},
			Title:    "The records of a fetch name project, user, role and GitLab's correlation ID",
			Protects: investigators, Source: receiver, Test: recorded(fetch, attributed),
		},
		scenario.Scenario{
			ID:       "audit/fetch-located",
			Features: []scenario.Feature{scenario.FeatureAudit, scenario.FeatureInlineAuth},
			Title:    "The records of a fetch name the secret's path, the namespace and the client's address",
			Protects: investigators, Source: receiver, Test: recorded(fetch, located),
		},
		scenario.Scenario{
			ID: "audit/fetch-hashed", Title: "The records of a fetch contain value and JWT only as reproducible hashes",
			Features: []scenario.Feature{scenario.FeatureAudit, scenario.FeatureInlineAuth},
			Protects: readers, Source: hashes, Test: recorded(fetch, hashed),
		},
		scenario.Scenario{
			ID: "audit/refused-login", Subject: scenario.SubjectServer,
			Title:    "A refused login is recorded as refused",
			Protects: investigators, Source: broker, Test: recorded(expired, refusedLogin),
		},
		scenario.Scenario{
			ID: "audit/refused-read", Subject: scenario.SubjectServer,
			Features: []scenario.Feature{scenario.FeatureAudit, scenario.FeatureInlineAuth},
			Title:    "A read that a policy refuses is recorded with its project and the reason",
			Protects: investigators, Source: broker, Test: recorded(forbidden, refusedRead),
		},
		scenario.Scenario{
			ID: "audit/write-hashed", Title: "A write is recorded with its value only as a hash",
			Protects: readers, Source: hashes, Test: recorded(write, written),
		},
		scenario.Scenario{
			ID: "audit/rails-recorded", Title: "Requests that Rails makes for itself are recorded as Rails'",
			Features: []scenario.Feature{scenario.FeatureAudit, scenario.FeatureNamespaces},
			Protects: investigators, Source: receiver, Test: recorded(rails, byRails),
		},
	)
}

// witness makes a request with a tenant and one of its secrets, and knows what must be recorded.
type witness struct {
	env    *scenario.Env
	trail  *auditTrail
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

// recorded makes a request, which returns the JWT that it carried, and judges the records of it.
func recorded(do func(ctx context.Context, w *witness) (jwt string, err error),
	holds func(ctx context.Context, t scenario.T, w *witness, x *exchange),
) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		trail, err := follow(ctx, env)
		require.NoError(t, err)
		for _, tenant := range env.Sample(2) {
			w := &witness{
				env: env, trail: trail, tenant: tenant, secret: tenant.Secrets[0], other: env.Tenants[len(env.Tenants)-1],
			}
			if w.other.Name == tenant.Name {
				w.other = env.Tenants[0]
			}
			w.jwt, err = do(ctx, w)
			require.NoError(t, err)
			holds(ctx, t, w, trail.await(ctx, t, "a request at "+tenant.Name, w.jwt))
		}
	}
}

// fetch is a job's fetch that works.
func fetch(ctx context.Context, w *witness) (string, error) {
	jwt, err := w.job(nil)
	if err != nil {
		return "", err
	}
	a, err := w.env.Send(ctx, gitlab.FetchOf(w.tenant, w.secret.Name, jwt))
	if err == nil && !a.OK() {
		err = fmt.Errorf("fetch: %v", a)
	}
	return jwt, err
}

// expired is a fetch whose token is too old.
func expired(ctx context.Context, w *witness) (string, error) {
	jwt, err := w.job(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() })
	if err != nil {
		return "", err
	}
	return jwt, refusal(w.env.Send(ctx, gitlab.FetchOf(w.tenant, w.secret.Name, jwt)))
}

// forbidden is a fetch by a job that may log in but not read.
func forbidden(ctx context.Context, w *witness) (string, error) {
	jwt, err := w.job(nil)
	if err != nil {
		return "", err
	}
	f := gitlab.FetchOf(w.tenant, w.secret.Name, jwt)
	f.SecretPath = w.other.SecretPath
	return jwt, refusal(w.env.Send(ctx, f))
}

func refusal(a gitlab.Answer, err error) error {
	if err == nil && a.OK() {
		err = errors.New("the fetch was not refused")
	}
	return err
}

// write creates a secret as GitLab does for an owner, and deletes it again.
func write(ctx context.Context, w *witness) (string, error) {
	auth, err := tenancy.UserAuth(w.env, w.tenant)
	if err != nil {
		return "", err
	}
	name := "STEAMER_AUDITED"
	w.secret = gitlab.Secret{Name: name, Version: 1}
	r, err := w.env.Client.Do(ctx, openbao.Request{
		Method: http.MethodPost, Path: w.tenant.SecretPath + "/" + name, Auth: auth,
		Body: map[string]any{"data": map[string]any{"value": w.tenant.Value(w.env.Seed, w.secret)}},
	})
	if err == nil && !r.OK() {
		err = fmt.Errorf("write: status %d: %s", r.Status, r.Message())
	}
	if err != nil {
		return "", err
	}
	gone, err := tenancy.AsUser(ctx, w.env, w.tenant, http.MethodDelete, strings.Replace(w.tenant.SecretPath, "/data/",
		"/metadata/", 1)+"/"+name, nil)
	if err == nil && !gone.OK() {
		err = fmt.Errorf("cleanup: status %d: %s", gone.Status, gone.Message())
	}
	return auth.JWT, err
}

// rails is a read that Rails makes before it adds to a policy.
func rails(ctx context.Context, w *witness) (string, error) {
	auth, err := w.env.Issuer.RailsAuth(w.env.Audience)
	if err != nil {
		return "", err
	}
	r, err := w.env.Client.Do(ctx, openbao.Request{
		Method: http.MethodGet, Path: w.tenant.Name + "/sys/mounts",
		Auth: auth,
	})
	if err == nil && !r.OK() {
		err = fmt.Errorf("read of mounts: status %d: %s", r.Status, r.Message())
	}
	return auth.JWT, err
}

func fourRecords(_ context.Context, t scenario.T, _ *witness, x *exchange) {
	for _, pair := range [][]record{x.Login, x.Request} {
		require.Len(t, pair, 2, "records: %v", pair)
		require.Equal(t, typeRequest, pair[0].Type)
		require.Equal(t, typeResponse, pair[1].Type)
		require.Equal(t, pair[0].Request.ID, pair[1].Request.ID, "IDs of request and response")
		require.False(t, pair[1].Time.Before(pair[0].Time), "the response was recorded before its request")
		require.Empty(t, pair[1].Error)
	}
}

func attributed(_ context.Context, t scenario.T, w *witness, x *exchange) {
	for _, r := range x.Request {
		for _, claim := range []string{"correlation_id", "project_id", "user_id"} {
			require.Equal(t, w.claims[claim], r.Auth.Metadata[claim], "%s in %v", claim, r)
		}
		require.NotEmpty(t, r.Auth.EntityID, "entity in %v", r)
	}
}

func located(_ context.Context, t scenario.T, w *witness, x *exchange) {
	for _, r := range x.Login {
		require.Equal(t, w.tenant.AuthPath, r.Where())
		require.NotEmpty(t, r.Request.RemoteAddress, "client's address in %v", r)
	}
	for _, r := range x.Request {
		require.Equal(t, w.tenant.SecretPath+"/"+w.secret.Name, r.Where())
		require.Equal(t, w.tenant.Name+"/", r.Request.Namespace.Path)
		require.Equal(t, "read", r.Request.Operation)
		require.NotEmpty(t, r.Request.RemoteAddress, "client's address in %v", r)
	}
}

func hashed(ctx context.Context, t scenario.T, w *witness, x *exchange) {
	value := w.tenant.Value(w.env.Seed, w.secret)
	onlyHashed(ctx, t, w, x.Request[len(x.Request)-1].Line, value)
	onlyHashed(ctx, t, w, x.Login[0].Line, w.jwt)
	for _, r := range append(x.Login, x.Request...) {
		for _, hidden := range []string{value, w.jwt, w.jwt[strings.LastIndexByte(w.jwt, '.')+1:]} {
			for _, form := range secret.Encodings(hidden) {
				if strings.Contains(r.Line, form) {
					t.Errorf("%v contains the value or the JWT in plain text", r)
					return
				}
			}
		}
	}
}

// onlyHashed expects the hash of a secret in a record.
func onlyHashed(ctx context.Context, t scenario.T, w *witness, line, secret string) {
	t.Helper()
	hash, err := w.trail.hash(ctx, secret)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hash, hashPrefix), "the server does not hash with HMAC-SHA256")
	if !strings.Contains(line, hash) {
		t.Errorf("the record does not contain the hash of the secret")
	}
}

func refusedLogin(_ context.Context, t scenario.T, w *witness, x *exchange) {
	last := x.Login[len(x.Login)-1]
	require.Equal(t, w.tenant.AuthPath, last.Where())
	// OpenBao 2.4.0 records the reason of a refused JWT login in the data of the response, and so
	// as a hash.
	require.True(t, last.Error != "" || last.Response.Data["error"] != nil,
		"the record does not show the refusal")
	require.Empty(t, x.Request, "the request of a refused login was served: %v", x.Request)
}

func refusedRead(_ context.Context, t scenario.T, w *witness, x *exchange) {
	last := x.Request[len(x.Request)-1]
	require.Equal(t, w.other.SecretPath+"/"+w.secret.Name, last.Where())
	require.Contains(t, last.Error, "permission denied")
	require.Nil(t, last.Response.Data["data"], "the refused read has a value")
	require.Equal(t, w.claims["project_id"], last.Auth.Metadata["project_id"], "the record does not have the project")
}

func written(ctx context.Context, t scenario.T, w *witness, x *exchange) {
	first := x.Request[0]
	require.Equal(t, w.tenant.SecretPath+"/"+w.secret.Name, first.Where())
	require.Contains(t, []string{"create", "update"}, first.Request.Operation)
	value := w.tenant.Value(w.env.Seed, w.secret)
	onlyHashed(ctx, t, w, first.Line, value)
	require.NotContains(t, first.Line, value)
}

func byRails(_ context.Context, t scenario.T, w *witness, x *exchange) {
	last := x.Request[len(x.Request)-1]
	require.Equal(t, w.tenant.Name+"/sys/mounts", last.Where())
	require.Contains(t, last.Auth.Policies, "secrets_manager", "policies in %v", last)
	require.Empty(t, last.Error)
	id, err := correlation(w.jwt)
	require.NoError(t, err)
	require.Equal(t, id, last.Auth.Metadata["correlation_id"], "correlation_id in %v", last)
}

// correlation returns the correlation ID in a JWT's claims.
func correlation(token string) (string, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return "", err
	}
	var claims struct {
		ID string `json:"correlation_id"`
	}
	err = parsed.UnsafeClaimsWithoutVerification(&claims)
	return claims.ID, err
}
