// Package fetch works with OpenBao as GitLab does: it fetches secrets as GitLab Runner does, by
// one GET with inline authentication (https://openbao.org/docs/concepts/inline-auth/) or by login
// and read, it writes them as Rails does, and it checks every value.
package fetch

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// Plan is a fixture with everything computed that does not change from one fetch to the next. It
// is shared by all VUs of a process and safe for concurrent use.
type Plan struct {
	target  *url.URL
	addr    string         // host:port to connect to
	ca      *x509.CertPool // nil: none given
	tenants []tenant
	secrets int
	rails   []http.Header // with Rails' own login, one a token; nil: the fixture has none

	passed atomic.Uint64 // tenants that choice "cold" has passed
	sums   sync.Map      // of Zipf's law, by exponent
}

type tenant struct {
	name string
	path string // URL path up to the secret's name
	// login is the path of the login, role the role in JSON.
	login, role string
	revoke      string // path at which a token of this tenant revokes itself; empty: unknown
	jobs        []job
	secrets     []fixture.Secret
	written     *written // for the mode rails; nil: the fixture has no owner
}

// job is one CI job.
type job struct {
	jwt    string
	header http.Header // of its inline requests
}

// NewPlan prepares a checked fixture.
func NewPlan(fx *fixture.Fixture) (*Plan, error) {
	u, err := url.Parse(fx.Target)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	p := &Plan{target: u, addr: u.Host, tenants: make([]tenant, len(fx.Tenants))}
	if u.Port() == "" {
		p.addr = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	if fx.CA != "" {
		p.ca = x509.NewCertPool()
		p.ca.AppendCertsFromPEM([]byte(fx.CA)) // fixture.Read made sure that there is one
	}
	if p.rails, err = railsHeaders(fx.Rails); err != nil {
		return nil, fmt.Errorf("rails: %w", err)
	}
	for i := range fx.Tenants {
		if err := p.tenants[i].prepare(&fx.Tenants[i]); err != nil {
			return nil, fmt.Errorf("tenant %s: %w", fx.Tenants[i].Name, err)
		}
		p.secrets += len(fx.Tenants[i].Secrets)
	}
	return p, nil
}

func (t *tenant) prepare(from *fixture.Tenant) error {
	role, err := json.Marshal(from.Role)
	if err != nil {
		return err
	}
	*t = tenant{
		name: from.Name, path: "/v1/" + from.SecretPath + "/", login: "/v1/" + from.AuthPath, role: string(role),
		secrets: from.Secrets,
	}
	if namespace, ok := namespaceOf(from.AuthPath); ok {
		t.revoke = "/v1/" + namespace + "auth/token/revoke-self"
	}
	for _, jwt := range append([]string{from.JWT}, from.JWTs...) {
		header, err := runnerHeader(from, jwt)
		if err != nil {
			return err
		}
		t.jobs = append(t.jobs, job{jwt, header})
	}
	owner, err := railsHeaders(from.Owner)
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
	case loginReadRevoke:
		for i := range p.tenants {
			if p.tenants[i].revoke == "" {
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

// Name returns the tenant's name, for messages.
func (p *Plan) Name(c Choice) string { return p.tenants[c.tenant].name }

// digest is the SHA-256 the secret's value must have.
func (p *Plan) digest(c Choice) *fixture.Digest { return &p.tenants[c.tenant].secrets[c.secret].SHA256 }
