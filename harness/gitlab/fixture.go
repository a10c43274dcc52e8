package gitlab

import (
	"fmt"
	"slices"
	"time"
)

// Versions of the Fixture format: the first for fetches with one token a tenant, the second for
// what FixtureOptions add.
const (
	FixtureVersion  = 1
	FixtureVersion2 = 2
)

// Fixture tells the load generator what to fetch and how to check it. It holds
// JWTs: hand it over through a pipe, never through a file or an argument.
type Fixture struct {
	Version int             `json:"version"`
	Target  string          `json:"target"`          // base URL the load goes to
	CA      string          `json:"ca,omitempty"`    // PEM; empty: the generator's own trust
	Rails   *FixtureLogin   `json:"rails,omitempty"` // Rails' own login
	Tenants []FixtureTenant `json:"tenants"`
}

// FixtureTenant is one project with the JWTs of jobs that may read all its secrets.
type FixtureTenant struct {
	Name       string          `json:"name"`
	SecretPath string          `json:"secretPath"`
	AuthPath   string          `json:"authPath"`
	Role       string          `json:"role"`
	JWT        string          `json:"jwt"`
	JWTs       []string        `json:"jwts,omitempty"`  // of further jobs
	Owner      *FixtureLogin   `json:"owner,omitempty"` // on whose behalf Rails writes
	Secrets    []FixtureSecret `json:"secrets"`
}

// FixtureLogin is a login with JWTs that outlast the load. GitLab signs a fresh one for each call,
// which the generator cannot: it has no private key. OpenBao verifies either in the same way.
type FixtureLogin struct {
	AuthPath string   `json:"authPath"`
	Role     string   `json:"role"`
	JWTs     []string `json:"jwts"`
}

// FixtureSecret names a secret and the digest of its right value.
type FixtureSecret struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // lower-case hex
}

// FixtureOption adds to a fixture what only some workloads need.
type FixtureOption func(*fixtureOptions)

type fixtureOptions struct {
	ca      string
	jobs    int
	recipes []*Recipe
}

// WithCA has the load generator trust the certificates in PEM, and no others.
func WithCA(pem string) FixtureOption { return func(o *fixtureOptions) { o.ca = pem } }

// WithJobs gives each tenant the JWTs of n jobs instead of one; n below 2 changes nothing.
func WithJobs(n int) FixtureOption { return func(o *fixtureOptions) { o.jobs = n } }

// WithRails gives the load generator what it takes to write secrets as Rails does: privileged
// JWTs, and those of each project's owner. The recipes are those that provisioned the tenants.
func WithRails(recipes []*Recipe) FixtureOption {
	return func(o *fixtureOptions) { o.recipes = recipes }
}

// NewFixture makes the fixture for tenants laid out by Plan. ttl is how long the
// JWTs stay valid; it must outlast the load.
func NewFixture(target, seed, audience string, issuer *Issuer, tenants []Tenant, ttl time.Duration,
	options ...FixtureOption,
) (*Fixture, error) {
	o := fixtureOptions{jobs: 1}
	for _, option := range options {
		option(&o)
	}
	f := &Fixture{Version: FixtureVersion, Target: target, CA: o.ca, Tenants: make([]FixtureTenant, 0, len(tenants))}
	if o.ca != "" || o.jobs > 1 || o.recipes != nil {
		f.Version = FixtureVersion2
	}
	if o.recipes != nil {
		jwt, err := issuer.privileged(audience, ttl)
		if err != nil {
			return nil, err
		}
		f.Rails = &FixtureLogin{AuthPath: railsPath, Role: railsRole, JWTs: []string{jwt}}
	}
	job := DefaultJob()
	job.TTL = ttl
	for _, t := range tenants {
		ft := FixtureTenant{Name: t.Name, SecretPath: t.SecretPath, AuthPath: t.AuthPath, Role: t.Role}
		for range max(1, o.jobs) {
			job.ID++
			jwt, err := issuer.Pipeline(audience, t, job)
			if err != nil {
				return nil, err
			}
			if ft.JWT == "" {
				ft.JWT = jwt
			} else {
				ft.JWTs = append(ft.JWTs, jwt)
			}
		}
		if o.recipes != nil {
			var err error
			if ft.Owner, err = ownerLogin(o.recipes, issuer, audience, t, ttl); err != nil {
				return nil, err
			}
		}
		for _, s := range t.Secrets {
			ft.Secrets = append(ft.Secrets, FixtureSecret{Name: s.Name, SHA256: digest(t.Value(seed, s))})
		}
		f.Tenants = append(f.Tenants, ft)
	}
	return f, nil
}

func ownerLogin(recipes []*Recipe, issuer *Issuer, audience string, t Tenant, ttl time.Duration) (*FixtureLogin,
	error,
) {
	i := slices.IndexFunc(recipes, func(r *Recipe) bool { return r.ID == t.Recipe })
	if i < 0 {
		return nil, fmt.Errorf("fixture: tenant %s: unknown recipe %q", t.Name, t.Recipe)
	}
	path, err := expand(recipes[i].User.Path, inputs{Tenant: t}.view())
	if err != nil {
		return nil, fmt.Errorf("fixture: user.path: %w", err)
	}
	claims := issuer.UserClaims(audience, t)
	claims["exp"] = time.Now().Add(ttl).Unix()
	jwt, err := issuer.Sign(claims, nil)
	return &FixtureLogin{AuthPath: path, Role: recipes[i].User.Role, JWTs: []string{jwt}}, err
}
