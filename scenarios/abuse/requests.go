package abuse

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// requestTable is what the tables of requests have in common.
func requestTable() scenario.Scenario {
	return scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Protects: "secrets from requests that parts of the server interpret differently, and the server from their senders",
		Source:   "OpenBao, inline authentication and request limits; RFC 3986; CWE-22",
		Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
	}
}

// request is a request with a valid token that is malformed in one respect.
type request struct {
	method string // "" is GET
	// {secret} is the path of a secret that the job may read, {folder} and {name} are its parts,
	// {ns} its namespace, {other} another tenant's secret
	path    string
	body    any
	headers func(h http.Header, tenant, other gitlab.Tenant)
	want    []int // statuses; a 500 among them is what OpenBao 2.4.0 answers to a client's mistake
	text    string
	value   bool // the secret's value is a right answer
}

func (q request) test(ctx context.Context, t scenario.T, env *scenario.Env) {
	require.Greater(t, len(env.Tenants), 1, "this scenario needs at least two tenants")
	attacked := env.Sample(2)
	before := observe(ctx, t, env, attacked...)
	for i, tenant := range attacked {
		other := env.Tenants[(i+1)%len(env.Tenants)]
		if other.Project == tenant.Project {
			other = env.Tenants[len(env.Tenants)-1]
		}
		jwt, err := env.Issuer.Pipeline(env.Audience, tenant, gitlab.DefaultJob())
		require.NoError(t, err)
		header := (&openbao.InlineAuth{Path: tenant.AuthPath, Role: tenant.Role, JWT: jwt}).Header()
		if q.headers != nil {
			q.headers(header, tenant, other)
		}
		name := tenant.Secrets[0].Name
		path := strings.NewReplacer("{secret}", tenant.SecretPath+"/"+name, "{folder}", tenant.SecretPath, "{name}", name,
			"{ns}", tenant.Name, "{other}", other.SecretPath+"/"+other.Secrets[0].Name).Replace(q.path)
		r, err := env.Client.Do(ctx, openbao.Request{
			Method: cmp.Or(q.method, http.MethodGet), Path: path, Body: q.body,
			Header: header,
		})
		q.judge(t, tenant, r, err)
	}
	before.unharmed(ctx, t)
}

func (q request) judge(t scenario.T, tenant gitlab.Tenant, r *openbao.Response, err error) {
	t.Helper()
	switch {
	case err != nil && slices.Contains(q.want, http.StatusRequestEntityTooLarge):
		t.Logf("%s: the server closed the connection during the request",
			tenant.Name) // a server may close before it has read all
	case err != nil:
		t.Errorf("%s: no answer", tenant.Name) // the error may hold a path of 10,000 letters
	case !slices.Contains(q.want, r.Status):
		t.Errorf("%s: status %d: %s, want one of %v", tenant.Name, r.Status, r.Message(), q.want)
	case r.OK() && !q.value:
		t.Errorf("%s: the request succeeded with status %d", tenant.Name, r.Status)
	case !strings.Contains(strings.ToLower(r.Message()), q.text):
		t.Errorf("%s: status %d for a reason other than %q: %s", tenant.Name, r.Status, q.text, r.Message())
	case r.Status >= 500:
		t.Logf("%s: OpenBao answers %d to a client error, which Runner retries: %s", tenant.Name, r.Status, r.Message())
	}
}
