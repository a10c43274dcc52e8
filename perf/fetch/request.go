package fetch

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// goClient are the header fields of Go's HTTP client under OpenBao's api/v2, with which GitLab
// Runner talks to OpenBao (helpers/vault/client.go). The server sees and audits them, so they are
// part of the request.
const (
	userAgent = "\r\nUser-Agent: Go-http-client/1.1"
	goClient  = "\r\nX-Vault-Request: true\r\nAccept-Encoding: gzip\r\n\r\n"
)

// parameters renders the header fields of inline authentication: the login path, and each parameter
// as unpadded base64url of {"key":…,"value":…}. The names of the fields are free; Runner and Rails
// use different ones.
func parameters(authPath string, params [2]struct{ field, key, value string }) ([]byte, error) {
	buf := []byte("\r\nX-Vault-Inline-Auth-Path: " + authPath)
	for _, p := range params {
		param, err := json.Marshal(struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		}{p.key, p.value})
		if err != nil {
			return nil, fmt.Errorf("inline-auth parameter %s cannot be encoded", p.key)
		}
		buf = append(buf, "\r\nX-Vault-Inline-Auth-Parameter-"+p.field+": "...)
		buf = base64.RawURLEncoding.AppendEncode(buf, param)
	}
	return buf, nil
}

// runnerAuth renders what follows the URL in Runner's request.
func runnerAuth(host string, t *fixture.Tenant, jwt string) ([]byte, error) {
	auth, err := parameters(t.AuthPath, [2]struct{ field, key, value string }{
		{"jwt", "jwt", jwt},
		{"role", "role", t.Role},
	})
	if err != nil {
		return nil, err
	}
	buf := append([]byte(" HTTP/1.1\r\nHost: "+host+userAgent), auth...)
	return append(buf, goClient...), nil
}

// railsAuth renders the authentication of each token of a login of Rails; nil for none.
func railsAuth(l *fixture.Login) ([][]byte, error) {
	if l == nil {
		return nil, nil
	}
	all := make([][]byte, 0, len(l.JWTs))
	for _, jwt := range l.JWTs {
		auth, err := parameters(l.AuthPath, [2]struct{ field, key, value string }{
			{"token", "jwt", jwt},
			{"role", "role", l.Role},
		})
		if err != nil {
			return nil, err
		}
		all = append(all, auth)
	}
	return all, nil
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

// appendInline appends the complete inline request for one secret to buf.
func (p *Plan) appendInline(buf []byte, c Choice) []byte {
	t := &p.tenants[c.tenant]
	buf = append(append(buf, "GET "...), t.path...)
	buf = append(buf, t.secrets[c.secret].Name...)
	return append(buf, t.jobs[c.job].suffix...)
}

// loginHead is the login request up to the length of its body. PUT is what api/v2's Logical().Write
// sends.
func loginHead(host, authPath string) []byte {
	return []byte("PUT /v1/" + authPath + " HTTP/1.1\r\nHost: " + host + userAgent + "\r\nContent-Length: ")
}

// appendLogin appends the request by which a job exchanges its token for a client token.
func (p *Plan) appendLogin(buf []byte, c Choice) []byte {
	t := &p.tenants[c.tenant]
	jwt := t.jobs[c.job].jwt
	const before, between, after = `{"jwt":"`, `","role":`, "}\n" // base64url needs no escaping
	length := len(before) + len(jwt) + len(between) + len(t.role) + len(after)
	buf = strconv.AppendInt(append(buf, t.login...), int64(length), 10)
	buf = append(append(append(buf, goClient...), before...), jwt...)
	return append(append(append(buf, between...), t.role...), after...)
}

// appendRead appends the read of a secret with a client token; its namespace is in the path.
func (p *Plan) appendRead(buf []byte, c Choice, token string) []byte {
	t := &p.tenants[c.tenant]
	buf = append(append(buf, "GET "...), t.path...)
	buf = append(buf, t.secrets[c.secret].Name...)
	return p.appendToken(buf, token)
}

// appendRevoke appends the request by which a client token revokes itself.
func (p *Plan) appendRevoke(buf []byte, c Choice, token string) []byte {
	buf = append(append(buf, "PUT "...), p.tenants[c.tenant].revoke...)
	return p.appendToken(buf, token)
}

// appendToken ends a request without a body. Content-Length is needed for PUT and does no harm to
// GET, but Go's client sends none there.
func (p *Plan) appendToken(buf []byte, token string) []byte {
	put := buf[0] == 'P'
	buf = append(append(append(buf, " HTTP/1.1\r\nHost: "...), p.host...), userAgent...)
	if put {
		buf = append(buf, "\r\nContent-Length: 0"...)
	}
	buf = append(append(buf, "\r\nX-Vault-Token: "...), token...)
	return append(buf, goClient...)
}
