package fetch

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// runner is the header of all of GitLab Runner's calls: what OpenBao's api/v2 and Go's client add.
// The server sees and audits it.
var runner = http.Header{"X-Vault-Request": {"true"}, "Accept-Encoding": {"gzip"}}

// inlineAuth renders the header of inline authentication: the login path, and each parameter as
// unpadded base64url of {"key":…,"value":…}. The names of the fields are free; Runner and Rails
// use different ones for the token.
func inlineAuth(authPath, tokenField, jwt, role string) (http.Header, error) {
	h := http.Header{"X-Vault-Inline-Auth-Path": {authPath}}
	for _, p := range [2]struct{ field, key, value string }{{tokenField, "jwt", jwt}, {"Role", "role", role}} {
		param, err := json.Marshal(struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		}{p.key, p.value})
		if err != nil {
			return nil, fmt.Errorf("inline-auth parameter %s cannot be encoded", p.key)
		}
		h["X-Vault-Inline-Auth-Parameter-"+p.field] = []string{base64.RawURLEncoding.EncodeToString(param)}
	}
	return h, nil
}

// runnerHeader is the header of Runner's inline request.
func runnerHeader(t *fixture.Tenant, jwt string) (http.Header, error) {
	h, err := inlineAuth(t.AuthPath, "Jwt", jwt, t.Role)
	if err != nil {
		return nil, err
	}
	maps.Copy(h, runner)
	return h, nil
}

// namespaceOf returns the namespace of a login path, ending in a slash unless it is the root.
// "auth" is a reserved word that no namespace is named.
func namespaceOf(authPath string) (string, bool) {
	if strings.HasPrefix(authPath, "auth/") {
		return "", true
	}
	i := strings.Index(authPath, "/auth/")
	if i < 0 {
		return "", false
	}
	return authPath[:i+1], true
}

// inline is Runner's request for one secret with inline authentication.
func (p *Plan) inline(c Choice) *request {
	return &request{
		method: http.MethodGet, path: p.path(c), header: p.tenants[c.tenant].jobs[c.job].header, repeatable: true,
	}
}

// login is the request by which a job exchanges its token for a client token. PUT is what api/v2's
// Logical().Write sends.
func (p *Plan) login(c Choice) *request {
	t := &p.tenants[c.tenant]
	return &request{
		method: http.MethodPut, path: t.login, header: runner, repeatable: true,
		body: `{"jwt":"` + t.jobs[c.job].jwt + `","role":` + t.role + "}\n", // base64url needs no escaping
	}
}

// read is the read of a secret with a client token; its namespace is in the path.
func (p *Plan) read(c Choice, token string) *request {
	return &request{method: http.MethodGet, path: p.path(c), header: withToken(token), repeatable: true}
}

// revoke is the request by which a client token revokes itself.
func (p *Plan) revoke(c Choice, token string) *request {
	return &request{
		method: http.MethodPut, path: p.tenants[c.tenant].revoke, header: withToken(token), repeatable: true,
	}
}

func (p *Plan) path(c Choice) string {
	t := &p.tenants[c.tenant]
	return t.path + t.secrets[c.secret].Name
}

func withToken(token string) http.Header {
	h := maps.Clone(runner)
	h["X-Vault-Token"] = []string{token}
	return h
}
