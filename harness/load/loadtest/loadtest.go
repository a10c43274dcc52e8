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
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// envK6 names a k6 with our extension, for tests that are repeated: to build one takes a minute.
const envK6 = "STEAMER_K6"

// K6 returns $STEAMER_K6, or builds our k6 into a directory of the test's own.
func K6(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(envK6); path != "" {
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

// Site is a real OpenBao on a real PostgreSQL with the tenancy that it was provisioned for.
type Site struct {
	target.Tenancy
	Server *localbao.Server
}

// Start makes a site with so many tenants of so many secrets each, which ends with the test.
func Start(t testing.TB, o localbao.Options, seed string, tenants, secrets int) *Site {
	t.Helper()
	server, err := localbao.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	issuer, err := server.Trust()
	require.NoError(t, err)
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	s := &Site{Server: server, Tenancy: target.Tenancy{
		Client: openbao.New(server.Address, server.HTTPClient()), Issuer: issuer, Audience: server.Audience,
		Seed: seed, Recipes: recipes,
		Secrets: secrets,
	}}
	t.Cleanup(s.Client.Close)
	_, err = s.Grow(t.Context(), tenants)
	require.NoError(t, err)
	return s
}

// Document is the load generator's document for a load that goes to url, with values keyed by seed
// and tokens that last an hour.
func (s *Site) Document(t testing.TB, url, seed string, options ...gitlab.FixtureOption) []byte {
	t.Helper()
	fixture, err := gitlab.NewFixture(url, seed, s.Audience, s.Issuer, s.Tenants(), time.Hour, options...)
	require.NoError(t, err)
	document, err := json.Marshal(fixture)
	require.NoError(t, err)
	return document
}
