package gitlab

import "time"

// FixtureVersion is the version of the Fixture format.
const FixtureVersion = 1

// Fixture tells the load generator what to fetch and how to check it. It holds
// JWTs: hand it over through a pipe, never through a file or an argument.
type Fixture struct {
	Version int             `json:"version"`
	Target  string          `json:"target"` // base URL the load goes to
	Tenants []FixtureTenant `json:"tenants"`
}

// FixtureTenant is one project with a JWT of a job that may read all its secrets.
type FixtureTenant struct {
	Name       string          `json:"name"`
	SecretPath string          `json:"secretPath"`
	AuthPath   string          `json:"authPath"`
	Role       string          `json:"role"`
	JWT        string          `json:"jwt"`
	Secrets    []FixtureSecret `json:"secrets"`
}

// FixtureSecret names a secret and the digest of its right value.
type FixtureSecret struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // lower-case hex
}

// NewFixture makes the fixture for tenants laid out by Plan. ttl is how long the
// JWTs stay valid; it must outlast the load.
func NewFixture(target, seed, audience string, issuer *Issuer, tenants []Tenant, ttl time.Duration) (*Fixture, error) {
	f := &Fixture{Version: FixtureVersion, Target: target, Tenants: make([]FixtureTenant, 0, len(tenants))}
	job := DefaultJob()
	job.TTL = ttl
	for i, t := range tenants {
		job.ID = i + 1
		jwt, err := issuer.Pipeline(audience, t, job)
		if err != nil {
			return nil, err
		}
		ft := FixtureTenant{Name: t.Name, SecretPath: t.SecretPath, AuthPath: t.AuthPath, Role: t.Role, JWT: jwt}
		for _, s := range t.Secrets {
			ft.Secrets = append(ft.Secrets, FixtureSecret{Name: s.Name, SHA256: SHA256(t.Value(seed, s))})
		}
		f.Tenants = append(f.Tenants, ft)
	}
	return f, nil
}
