// Package fetch works with OpenBao as GitLab does: it fetches secrets as GitLab Runner does, by one
// GET with inline authentication (https://openbao.org/docs/concepts/inline-auth/) or by login and
// read, it writes them as Rails does, and it checks every value.
package fetch

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// Plan is a fixture with everything computed that does not change from one fetch to the next. It is
// shared by all VUs of a process and safe for concurrent use.
type Plan struct {
	// addr is host:port to connect to, host what requests name.
	addr, host string
	// serverName is the host a TLS certificate must be valid for; empty without TLS.
	serverName string
	ca         *x509.CertPool // nil: none given
	tenants    []tenant
	secrets    int
	rails      [][]byte // header fields of Rails' own login, one entry a token; nil: the fixture has none

	passed atomic.Uint64 // tenants that choice "cold" has passed
	sums   sync.Map      // of Zipf's law, by exponent
}

type tenant struct {
	name string
	// path is the URL path up to the secret's name.
	path []byte
	// login is the login request up to the body's length, role the body's role in JSON.
	login, role []byte
	// revoke is the path at which a token of this tenant revokes itself; nil: unknown.
	revoke  []byte
	jobs    []job
	secrets []fixture.Secret
	written *written // for the mode rails; nil: the fixture says no owner
}

// job is one CI job.
type job struct {
	jwt string
	// suffix is what follows the secret's name in an inline request: version, and the header with
	// the authentication.
	suffix []byte
}

// NewPlan prepares a checked fixture.
func NewPlan(fx *fixture.Fixture) (*Plan, error) {
	u, err := url.Parse(fx.Target)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	p := &Plan{addr: u.Host, host: u.Host, tenants: make([]tenant, len(fx.Tenants))}
	if u.Scheme == "https" {
		p.serverName = u.Hostname()
	}
	if u.Port() == "" {
		p.addr = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	if fx.CA != "" {
		p.ca = x509.NewCertPool()
		p.ca.AppendCertsFromPEM([]byte(fx.CA)) // fixture.Read made sure that there is one
	}
	if p.rails, err = railsAuth(fx.Rails); err != nil {
		return nil, fmt.Errorf("rails: %w", err)
	}
	for i := range fx.Tenants {
		if err := p.tenants[i].prepare(u.Host, &fx.Tenants[i]); err != nil {
			return nil, fmt.Errorf("tenant %s: %w", fx.Tenants[i].Name, err)
		}
		p.secrets += len(fx.Tenants[i].Secrets)
	}
	return p, nil
}

func (t *tenant) prepare(host string, from *fixture.Tenant) error {
	role, err := json.Marshal(from.Role)
	if err != nil {
		return err
	}
	*t = tenant{
		name: from.Name, path: []byte("/v1/" + from.SecretPath + "/"), login: loginHead(host, from.AuthPath), role: role,
		secrets: from.Secrets,
	}
	if namespace, ok := namespaceOf(from.AuthPath); ok {
		t.revoke = []byte("/v1/" + namespace + "auth/token/revoke-self")
	}
	for _, jwt := range append([]string{from.JWT}, from.JWTs...) {
		suffix, err := runnerAuth(host, from, jwt)
		if err != nil {
			return err
		}
		t.jobs = append(t.jobs, job{jwt, suffix})
	}
	owner, err := railsAuth(from.Owner)
	if err != nil || owner == nil {
		return err
	}
	t.written, err = newWritten(from, owner)
	return err
}

// Tenants returns the number of tenants.
func (p *Plan) Tenants() int { return len(p.tenants) }

// Secrets returns the number of secrets of all tenants.
func (p *Plan) Secrets() int { return p.secrets }

// Supports reports why a mode cannot work with this fixture, nil if it can.
func (p *Plan) Supports(m Mode) error {
	switch m {
	case LoginReadRevoke:
		for i := range p.tenants {
			if p.tenants[i].revoke == nil {
				return fmt.Errorf("tenant %s: its login path has no element \"auth\", so that the token's namespace is unknown",
					p.tenants[i].name)
			}
		}
	case Rails:
		if p.rails == nil {
			return fmt.Errorf("the fixture has no rails login; it needs version %d", fixture.MaxVersion)
		}
		for i := range p.tenants {
			if p.tenants[i].written == nil {
				return fmt.Errorf("tenant %s of the fixture has no owner login", p.tenants[i].name)
			}
		}
	}
	return nil
}

// Choice is one secret of one tenant, and one of the tenant's jobs to fetch it.
type Choice struct{ tenant, secret, job int }

// Choose draws a tenant, one of its secrets and one of its jobs, each uniformly.
func (p *Plan) Choose(rng *rand.Rand) Choice { return p.Select(&Selection{}, p.Whole(), rng) }

// Name returns the tenant's name, for messages.
func (p *Plan) Name(c Choice) string { return p.tenants[c.tenant].name }

// digest is the SHA-256 the secret's value must have.
func (p *Plan) digest(c Choice) *fixture.Digest { return &p.tenants[c.tenant].secrets[c.secret].SHA256 }
