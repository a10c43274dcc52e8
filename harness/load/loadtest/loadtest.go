// Package loadtest starts the real parts that tests of load need: k6 with our extension, and an
// OpenBao with tenants.
package loadtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/localbao"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// EnvK6 names a k6 with our extension, for tests that are repeated: to build one takes a minute.
const EnvK6 = "STEAMER_K6"

// K6 returns $STEAMER_K6, or builds our k6 into a directory of the test's own.
func K6(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(EnvK6); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "k6")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/k6")
	cmd.Dir = filepath.Join(root(t), "perf")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// root is the directory of Steamer's main module; go test runs tests somewhere below it.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "no go.mod above the test")
		dir = filepath.Dir(dir)
	}
}

// Site is a real OpenBao on a real PostgreSQL, provisioned as Rails does, and what its fixtures are
// made of.
type Site struct {
	Server  *localbao.Server
	Client  *openbao.Client
	Issuer  *gitlab.Issuer
	Recipes []*gitlab.Recipe
	Tenants []gitlab.Tenant
	Seed    string // keys the secrets' values
}

// Start makes a site with so many tenants of so many secrets each, which ends with the test.
func Start(t testing.TB, o localbao.Options, seed string, tenants, secrets int) *Site {
	t.Helper()
	server, err := localbao.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	s := &Site{Server: server, Client: openbao.New(server.Address, server.HTTPClient()), Seed: seed}
	t.Cleanup(s.Client.Close)
	s.Issuer, err = gitlab.NewIssuer(server.Issuer, gitlab.RS256)
	require.NoError(t, err)
	jwks, err := s.Issuer.JWKS()
	require.NoError(t, err)
	server.Publish(jwks)
	s.Recipes, err = gitlab.Recipes()
	require.NoError(t, err)
	s.Tenants, err = gitlab.Plan(s.Recipes, tenants, secrets)
	require.NoError(t, err)
	seeder := &gitlab.Seeder{Client: s.Client, Issuer: s.Issuer, Audience: server.Audience, Seed: seed, Recipes: s.Recipes}
	_, err = seeder.Run(t.Context(), s.Tenants)
	require.NoError(t, err)
	return s
}

// Fixture is the load generator's document for a load that goes to target, with values keyed by
// seed and tokens that last an hour.
func (s *Site) Fixture(t testing.TB, target, seed string, options ...gitlab.FixtureOption) []byte {
	t.Helper()
	fixture, err := gitlab.NewFixture(target, seed, s.Server.Audience, s.Issuer, s.Tenants, time.Hour, options...)
	require.NoError(t, err)
	document, err := json.Marshal(fixture)
	require.NoError(t, err)
	return document
}
