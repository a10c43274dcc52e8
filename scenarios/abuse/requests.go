package abuse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
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
		Features: []scenario.Feature{scenario.FeatureInlineAuth},
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
	later   answers
}

// answers are further statuses of OpenBao from a version on.
type answers struct {
	since string // "" is never
	want  []int
}

// known adds to the statuses those of the version that the server itself names.
func (q request) known(ctx context.Context, t scenario.T, env *scenario.Env) request {
	if q.later.since == "" {
		return q
	}
	reached, err := env.AtLeast(ctx, q.later.since)
	require.NoError(t, err)
	if reached {
		q.want = append(slices.Clone(q.want), q.later.want...)
	}
	return q
}

func (q request) test(ctx context.Context, t scenario.T, env *scenario.Env) {
	require.Greater(t, len(env.Tenants), 1, "this scenario needs at least two tenants")
	q = q.known(ctx, t, env)
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
		q.judge(t, tenant, tenant.Value(env.Seed, tenant.Secrets[0]), r, err)
	}
	before.unharmed(ctx, t)
}

func (q request) judge(t scenario.T, tenant gitlab.Tenant, value string, r *openbao.Response, err error) {
	t.Helper()
	switch {
	case err != nil && slices.Contains(q.want, http.StatusRequestEntityTooLarge) && cutOff(err):
		t.Logf("%s: the server closed the connection during the request",
			tenant.Name) // a server may close before it has read all
	case err != nil:
		t.Errorf("%s: no answer", tenant.Name) // the error may hold a path of 10,000 letters
	case !slices.Contains(q.want, r.Status):
		t.Errorf("%s: status %d: %s, want one of %v", tenant.Name, r.Status, r.Message(), q.want)
	case r.OK() && !q.value:
		t.Errorf("%s: the request succeeded with status %d", tenant.Name, r.Status)
	case r.OK() && valueOf(r) != value:
		t.Errorf("%s: status %d with a value that is not this secret's", tenant.Name, r.Status)
	case !strings.Contains(strings.ToLower(r.Message()), q.text):
		t.Errorf("%s: status %d for a reason other than %q: %s", tenant.Name, r.Status, q.text, r.Message())
	case r.Status >= 500:
		t.Logf("%s: OpenBao answers %d to a client error, which Runner retries: %s", tenant.Name, r.Status, r.Message())
	}
}

// cutOff reports whether the server closed a connection that it had accepted.
func cutOff(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF)
}

// valueOf is the value in an answer of the secrets engine, or "".
func valueOf(r *openbao.Response) string {
	var secret struct{ Data struct{ Value string } }
	_ = json.Unmarshal(r.Data, &secret) // what is no secret has no value
	return secret.Data.Value
}
