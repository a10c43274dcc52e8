package abuse

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/sideeffects"
)

// requestRow is a request with a good token that is malformed in a single respect.
type requestRow struct {
	name, title string
	method      string // "" is GET
	path        string // {secret} is the path of a secret that the job may read, {ns} its namespace, {other} another tenant's secret
	body        any
	headers     func(h http.Header, tenant, other gitlab.Tenant)
	want        []int // statuses; a 500 among them is what OpenBao 2.4.0 answers to a client's mistake
	text        string
	value       bool // the secret's value is a right answer
}

const inline = "X-Vault-Inline-Auth-"

func headerRows() []requestRow {
	type h = http.Header
	type tn = gitlab.Tenant
	row := func(name, title, text string, change func(h, tn, tn), want ...int) requestRow {
		return requestRow{name: "header-" + name, title: title, path: "{secret}", headers: change, text: text, want: want}
	}
	return []requestRow{
		// Catches: two logins of which one is checked and the other used.
		row("two-paths", "Two login paths are refused", "expected exactly one value",
			func(h h, a, _ tn) { h.Add(inline+"Path", a.AuthPath) }, 400, 500),
		row("token", "A token beside an inline login is refused", "cannot layer",
			func(h h, _, _ tn) { h.Set(openbao.HeaderToken, "no-token") }, 400, 403, 500),
		row("bearer", "A bearer token beside an inline login is refused", "cannot layer",
			func(h h, _, _ tn) { h.Set("Authorization", "Bearer no-token") }, 400, 403, 500),
		// Catches: a missing login taken for none needed. OpenBao 2.4.0 answers as it does to any
		// path that nobody mounted.
		row("unknown-mount", "A login that nobody mounted is refused", "",
			func(h h, a, _ tn) { h.Set(inline+"Path", a.Name+"/auth/none/login") }, 403, 404),
		row("no-path", "An empty login path is refused", "", func(h h, _, _ tn) { h.Set(inline+"Path", "") }, 400, 403),
		row("path-of-system", "A login path that is no login is refused", "",
			func(h h, _, _ tn) { h.Set(inline+"Path", "sys/health") }, 403, 404, 405),
		row("path-of-other", "Another project's login is refused", "project", func(h h, _, b tn) {
			h.Set(inline+"Path", b.AuthPath)
			h.Set(inline+"Parameter-Role", openbao.Parameter("role", b.Role))
		}, 400),
		row("no-role", "A login without role is refused", "missing role",
			func(h h, _, _ tn) { h.Del(inline + "Parameter-Role") }, 400),
		row("no-token", "A login without JWT is refused", "missing token",
			func(h h, _, _ tn) { h.Del(inline + "Parameter-Jwt") }, 400),
		row("unknown-role", "A role that does not exist is refused", "could not be found",
			func(h h, _, _ tn) { h.Set(inline+"Parameter-Role", openbao.Parameter("role", "none")) }, 400),
		row("parameter-encoding", "A parameter that is no base64 is refused", "base64",
			func(h h, _, _ tn) { h.Set(inline+"Parameter-Role", "!!!") }, 400, 500),
		row("parameter-json", "A parameter that is no JSON is refused", "json",
			func(h h, _, _ tn) { h.Set(inline+"Parameter-Role", "bm90IGpzb24") }, 400, 500),
		row("nothing", "A request without any login is refused", "permission denied", func(h h, _, _ tn) { clear(h) }, 403),
		// Catches: a namespace header that moves a request, or its login, into another namespace.
		row("namespace", "A namespace header on top of the path is refused", "permission denied",
			func(h h, a, _ tn) { h.Set("X-Vault-Namespace", a.Name) }, 403),
		row("namespace-of-other", "Another project's namespace header is refused", "permission denied",
			func(h h, _, b tn) { h.Set("X-Vault-Namespace", b.Name) }, 403),
		row("login-namespace-of-other", "Another project's namespace for the login is refused", "permission denied",
			func(h h, _, b tn) { h.Set(inline+"Namespace", b.Name) }, 403),
		// Catches: internal operations reachable from outside.
		row("operation-read", "A login by another operation is refused", "",
			func(h h, _, _ tn) { h.Set(inline+"Operation", "read") }, 400, 403, 405),
		row("operation-revoke", "A login by an internal operation is refused", "",
			func(h h, _, _ tn) { h.Set(inline+"Operation", "revoke") }, 400, 403, 405, 500),
		row("operation-rollback", "A login by rollback is refused", "",
			func(h h, _, _ tn) { h.Set(inline+"Operation", "rollback") }, 400, 403, 404, 405),
		row("large", "Headers of more than 1 MiB are refused", "",
			func(h h, _, _ tn) { h.Set("X-Padding", strings.Repeat("x", 1<<20+8<<10)) }, 400, 413, 431),
	}
}

func pathRows() []requestRow {
	row := func(name, title, path string, want ...int) requestRow {
		return requestRow{name: "path-" + name, title: title, path: path, want: want}
	}
	same := func(name, title, path string, want ...int) requestRow {
		r := row(name, title, path, append(want, 200)...)
		r.value = true
		return r
	}
	return []requestRow{
		// Catches, for all: a path that is checked in one spelling and used in another. 307 is a
		// redirect to the clean path, not followed.
		row("parent", "A path through a parent directory reads nothing", "{secret}/../OTHER", 307, 400, 403, 404),
		row("parent-of-other", "A path from the own secret to another project's reads nothing",
			"{secret}/../../../../../../{other}", 307, 400, 403, 404),
		row("parent-encoded", "An encoded parent directory reads nothing", "{secret}/%2e%2e/OTHER", 307, 400, 403, 404),
		row("parent-encoded-slash", "An encoded slash after a parent directory reads nothing",
			"{secret}/..%2f..%2f..%2f..%2f..%2f..%2f{other}", 307, 400, 403, 404),
		row("parent-encoded-twice", "A path that is encoded twice reads nothing", "{secret}/%252e%252e/OTHER", 307, 400, 403,
			404),
		row("parent-overlong", "A parent directory in overlong UTF-8 reads nothing", "{secret}/%c0%ae%c0%ae/OTHER", 307, 400,
			403, 404),
		row("backslash", "A backslash is no slash", `{secret}\..\OTHER`, 400, 403, 404),
		row("system", "A path from a secret to the system reads nothing", "{secret}/../../../../../../../sys/mounts", 307,
			400, 403, 404),
		row("system-encoded", "An encoded path from a secret to the system reads nothing",
			"{secret}/..%2f..%2f..%2f..%2f..%2f..%2fsys%2fmounts", 307, 400, 403, 404),
		row("system-of-namespace", "A path from the own system to the instance's reads nothing",
			"{ns}/sys/../../../../sys/mounts", 307, 400, 403, 404),
		row("namespace-twice", "A namespace within itself is another", "{ns}/{secret}", 400, 403, 404),
		row("namespace-root", "A namespace below root is another", "root/{secret}", 400, 403, 404),
		row("namespace-of-other", "The own login reads nothing of another project", "{other}", 403),
		row("namespace-encoded", "Encoded slashes do not lead from one namespace to another", "{ns}%2f..%2f..%2f..%2f{other}",
			307, 400, 403, 404),
		row("trailing-slash", "A slash behind the name is another path", "{secret}/", 307, 400, 403, 404),
		row("below", "A path below a secret is another", "{secret}/x", 400, 403, 404),
		row("nul", "A NUL behind the name is refused", "{secret}%00", 400, 403, 404),
		row("newline", "A line end behind the name is refused", "{secret}%0a", 400, 403, 404),
		row("no-utf8", "Bytes that are no UTF-8 are refused", "{secret}%ff%fe", 400, 403, 404),
		row("semicolon", "A semicolon is a part of the name", "{secret};x", 400, 403, 404),
		row("wildcard", "A star is a name like any other", "{folder}/*", 400, 403, 404),
		row("wildcard-plus", "A plus is a name like any other", "{folder}/+", 400, 403, 404),
		row("long", "A name of 8,000 letters is refused", "{folder}/"+strings.Repeat("A", 8000), 400, 403, 404, 414, 431),
		row("deep", "A path of 5,000 parts is refused", "{folder}/"+strings.Repeat("a/", 5000)+"x", 400, 403, 404, 414, 431),
		// Spellings of the same path are the same secret, or refused.
		same("double-slash", "Two slashes are one, or refused", "{folder}//{name}", 307, 400, 403, 404),
		same("dot", "A dot in a path means nothing, or is refused", "{folder}/./{name}", 307, 400, 403, 404),
		same("slash-encoded", "An encoded slash is a slash, or refused", "{folder}%2f{name}", 400, 403, 404),
		same("query", "A query that means nothing changes nothing", "{secret}?steamer=1", 400),
	}
}

func bodyRows() []requestRow {
	wide := map[string]any{}
	for i := range 20_000 {
		wide[strings.Repeat("k", i%7)+string(rune('a'+i%26))+time.Duration(i).String()] = i
	}
	row := func(name, title, method, path string, body any, want ...int) requestRow {
		return requestRow{name: name, title: title, method: method, path: path, body: body, want: want}
	}
	const no = http.StatusForbidden
	return []requestRow{
		// Catches: a limit of requests that was lost or raised: whoever may send a request could
		// fill the memory.
		row("body-large", "A body of more than 768 KiB is refused", "POST", "{secret}",
			map[string]any{"data": map[string]any{"value": strings.Repeat("x", 768<<10)}}, 400, 413),
		row("body-deep", "A body nested 5,000 times is refused", "POST", "{secret}",
			json.RawMessage(strings.Repeat(`{"a":`, 5000)+"1"+strings.Repeat("}", 5000)), 400, no, 413),
		row("body-wide", "A body of 20,000 fields is refused", "POST", "{secret}", wide, 400, no, 413),
		row("body-list", "A body that is a list is refused", "POST", "{secret}", []int{1}, 400, no),
		row("body-text", "A body that is text is refused", "POST", "{secret}", "x", 400, no),
		row("body-with-get", "A body does not make a GET write", "GET", "{folder}/STEAMER_NONE",
			map[string]any{"data": map[string]any{"value": "x"}}, 400, no, 405),
		// Catches: a method that nobody thought of.
		row("method-head", "HEAD of a secret is refused", "HEAD", "{secret}", nil, no, 405),
		row("method-options", "OPTIONS of a secret is refused", "OPTIONS", "{secret}", nil, no, 405),
		row("method-trace", "TRACE of a secret is refused", "TRACE", "{secret}", nil, no, 405),
		row("method-patch", "PATCH of a secret is refused", "PATCH", "{secret}", map[string]any{"data": map[string]any{}},
			400, no, 405, 415),
		row("method-unknown", "A method that does not exist is refused", "STEAMER", "{secret}", nil, 400, no, 405, 501),
	}
}

func requests() []scenario.Scenario {
	var out []scenario.Scenario
	for _, row := range slices.Concat(headerRows(), pathRows(), bodyRows()) {
		out = append(out, scenario.Scenario{
			ID: "abuse/" + row.name, Title: row.title,
			Protects: "secrets from requests that one part of the server reads differently than another, and the server from whoever sends them",
			Source:   "OpenBao, inline authentication and request limits; RFC 3986; CWE-22",
			Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
			Test: func(ctx context.Context, t scenario.T, env *scenario.Env) { row.test(ctx, t, env) },
		})
	}
	return out
}

func (row requestRow) test(ctx context.Context, t scenario.T, env *scenario.Env) {
	require.Greater(t, len(env.Tenants), 1, "there is only one tenant: nobody else's secret to ask for")
	attacked := env.Sample(2)
	before := sideeffects.Observe(ctx, t, env, attacked...)
	for i, tenant := range attacked {
		other := env.Tenants[(i+1)%len(env.Tenants)]
		if other.Project == tenant.Project {
			other = env.Tenants[len(env.Tenants)-1]
		}
		jwt, err := env.Issuer.Pipeline(env.Audience, tenant, gitlab.DefaultJob())
		require.NoError(t, err)
		header := (&openbao.InlineAuth{Path: tenant.AuthPath, Role: tenant.Role, JWT: jwt}).Header()
		if row.headers != nil {
			row.headers(header, tenant, other)
		}
		name := tenant.Secrets[0].Name
		path := strings.NewReplacer("{secret}", tenant.SecretPath+"/"+name, "{folder}", tenant.SecretPath, "{name}", name,
			"{ns}", tenant.Name, "{other}", other.SecretPath+"/"+other.Secrets[0].Name).Replace(row.path)
		method := row.method
		if method == "" {
			method = http.MethodGet
		}
		r, err := env.Client.Do(ctx, openbao.Request{Method: method, Path: path, Body: row.body, Header: header})
		row.judge(t, tenant, r, err)
	}
	before.Unharmed(ctx, t)
}

func (row requestRow) judge(t scenario.T, tenant gitlab.Tenant, r *openbao.Response, err error) {
	t.Helper()
	switch {
	case err != nil && slices.Contains(row.want, http.StatusRequestEntityTooLarge):
		t.Logf("%s: cut off while sending", tenant.Name) // a server may close before it has read all
	case err != nil:
		t.Errorf("%s: no answer", tenant.Name) // the error may hold a path of 10,000 letters
	case !slices.Contains(row.want, r.Status):
		t.Errorf("%s: status %d: %s, want one of %v", tenant.Name, r.Status, r.Message(), row.want)
	case r.OK() && !row.value:
		t.Errorf("%s: got an answer with status %d", tenant.Name, r.Status)
	case !strings.Contains(strings.ToLower(r.Message()), row.text):
		t.Errorf("%s: status %d for another reason than %q: %s", tenant.Name, r.Status, row.text, r.Message())
	case r.Status >= 500:
		t.Logf("%s: OpenBao answers %d to a client's mistake, which Runner repeats: %s", tenant.Name, r.Status, r.Message())
	}
}
