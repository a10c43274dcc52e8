// Package fetch performs the secret fetch of a CI job as GitLab Runner does: one GET per secret in which inline
// authentication carries the job's token (https://openbao.org/docs/concepts/inline-auth/), and a check of the value.
package fetch

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// Plan is a fixture with everything computed that does not change from one fetch to the next. It is read-only and
// shared by all VUs of a process.
type Plan struct {
	// addr is host:port to connect to.
	addr string
	// serverName is the host a TLS certificate must be valid for; empty without TLS.
	serverName string
	tenants    []tenant
	secrets    int
}

type tenant struct {
	name string
	// prefix is the request up to the secret's name.
	prefix []byte
	// suffix is the rest of the request: version, and the header with the inline authentication.
	suffix  []byte
	secrets []fixture.Secret
}

// NewPlan prepares a checked fixture.
func NewPlan(fx *fixture.Fixture) (*Plan, error) {
	u, err := url.Parse(fx.Target)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	p := &Plan{addr: u.Host, tenants: make([]tenant, len(fx.Tenants))}
	if u.Scheme == "https" {
		p.serverName = u.Hostname()
	}
	if u.Port() == "" {
		p.addr = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	for i := range fx.Tenants {
		t := &fx.Tenants[i]
		suffix, err := inlineAuth(u.Host, t)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
		}
		p.tenants[i] = tenant{
			name:    t.Name,
			prefix:  []byte("GET /v1/" + t.SecretPath + "/"),
			suffix:  suffix,
			secrets: t.Secrets,
		}
		p.secrets += len(t.Secrets)
	}
	return p, nil
}

// Tenants returns the number of tenants.
func (p *Plan) Tenants() int { return len(p.tenants) }

// Secrets returns the number of secrets of all tenants.
func (p *Plan) Secrets() int { return p.secrets }

// Choice is one secret of one tenant.
type Choice struct{ tenant, secret int }

// Choose draws a tenant and then one of its secrets, each uniformly.
func (p *Plan) Choose(rng *rand.Rand) Choice {
	c := Choice{tenant: rng.IntN(len(p.tenants))}
	c.secret = rng.IntN(len(p.tenants[c.tenant].secrets))
	return c
}

// Name returns the tenant's name, for messages.
func (p *Plan) Name(c Choice) string { return p.tenants[c.tenant].name }

// digest is the SHA-256 the secret's value must have.
func (p *Plan) digest(c Choice) *fixture.Digest { return &p.tenants[c.tenant].secrets[c.secret].SHA256 }

// appendRequest appends the complete request for one secret to buf.
func (p *Plan) appendRequest(buf []byte, c Choice) []byte {
	t := &p.tenants[c.tenant]
	buf = append(buf, t.prefix...)
	buf = append(buf, t.secrets[c.secret].Name...)
	return append(buf, t.suffix...)
}

// inlineAuth renders what follows the URL. Runner (helpers/vault/client.go, on OpenBao's api/v2) sends
// X-Vault-Request and three inline-auth headers, each parameter as unpadded base64url of {"key":…,"value":…};
// Host, User-Agent and Accept-Encoding are those of Go's HTTP client, since the server sees them too.
func inlineAuth(host string, t *fixture.Tenant) ([]byte, error) {
	buf := []byte(" HTTP/1.1\r\nHost: " + host +
		"\r\nUser-Agent: Go-http-client/1.1" +
		"\r\nX-Vault-Inline-Auth-Path: " + t.AuthPath)
	for _, p := range []struct{ key, value string }{{"jwt", t.JWT}, {"role", t.Role}} {
		param, err := json.Marshal(struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		}{p.key, p.value})
		if err != nil {
			return nil, fmt.Errorf("inline-auth parameter %s cannot be encoded", p.key)
		}
		buf = append(buf, "\r\nX-Vault-Inline-Auth-Parameter-"+p.key+": "...)
		buf = base64.RawURLEncoding.AppendEncode(buf, param)
	}
	return append(buf, "\r\nX-Vault-Request: true\r\nAccept-Encoding: gzip\r\n\r\n"...), nil
}
