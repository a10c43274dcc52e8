package gitlab_test

import (
	"context"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// server is the one server of this test package, which the first test starts.
var server struct {
	sync.Once
	*localbao.Server
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.Server != nil {
		server.Stop()
	}
	os.Exit(code)
}

const seed = "test"

func newSeeder(t *testing.T) *gitlab.Seeder {
	t.Helper()
	server.Do(func() { server.Server, server.err = localbao.Start(context.Background(), localbao.Options{}) })
	require.NoError(t, server.err)
	s := server.Server
	issuer, err := s.Trust()
	require.NoError(t, err)
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	client := openbao.New(s.Address, nil)
	t.Cleanup(client.Close)
	return &gitlab.Seeder{Client: client, Issuer: issuer, Audience: s.Audience, Seed: seed, Recipes: recipes}
}

// TestSeeder seeds, seeds again and replays, against a real OpenBao.
func TestSeeder(t *testing.T) {
	s := newSeeder(t)
	tenants, err := gitlab.Plan(s.Recipes, 6, 4)
	require.NoError(t, err)
	progress := 0
	s.Progress = func(done, total int) {
		progress++
		require.Equal(t, progress, done)
		require.Equal(t, 6, total)
	}
	first, err := s.Run(t.Context(), tenants)
	require.NoError(t, err)
	require.Equal(t, 6, progress)
	require.Equal(t, map[string]int{"two-level-jwt": 3, "three-level-cel": 3}, first.Recipes)
	require.Equal(t, 24, first.Secrets)
	t.Logf("first: %d calls in %.1f s", first.Calls, first.Seconds)

	s.Progress = nil
	second, err := s.Run(t.Context(), tenants)
	require.NoError(t, err)
	require.Equal(t, 24, second.Calls, "a second run only verifies")

	s.Replay = true
	third, err := s.Run(t.Context(), tenants)
	require.NoError(t, err, "replaying every call is harmless")
	require.Greater(t, third.Calls, 6*20)

	s.Seed, s.Replay = "other", false
	_, err = s.Run(t.Context(), tenants)
	require.ErrorContains(t, err, "holds another value")
	require.NotContains(t, err.Error(), gitlab.ValuePrefix)

	t.Run("matrix", func(t *testing.T) { matrix(t, s, tenants) })
}

// matrix checks who reads what in both recipes, with GitLab's refusal texts.
func matrix(t *testing.T, s *gitlab.Seeder, tenants []gitlab.Tenant) {
	job := gitlab.DefaultJob()
	other := job
	other.Environment = "staging"
	none := job
	none.Environment = ""
	branch := job
	branch.Ref = "feature"
	tag := job
	tag.RefType = "tag"
	for _, c := range []struct {
		name string
		job  gitlab.Job
		want [4]int // SECRET_1 unrestricted, _2 environment, _3 branch, _4 both
	}{
		{"all match", job, [4]int{200, 200, 200, 200}},
		{"other environment", other, [4]int{200, 403, 200, 403}},
		{"no environment", none, [4]int{200, 403, 200, 403}},
		{"other branch", branch, [4]int{200, 200, 403, 403}},
		{"tag of the branch's name", tag, [4]int{200, 200, 403, 403}},
	} {
		for _, tenant := range tenants[:2] {
			t.Run(c.name+"/"+tenant.Recipe, func(t *testing.T) {
				t.Parallel()
				jwt, err := s.Issuer.Pipeline(s.Audience, tenant, c.job)
				require.NoError(t, err)
				for i, secret := range tenant.Secrets {
					a, err := gitlab.FetchOf(tenant, secret.Name, jwt).Do(t.Context(), s.Client)
					require.NoError(t, err)
					require.Equal(t, c.want[i], a.Status, "%s: %v", secret.Name, a)
					require.False(t, a.InlineAuthFailed)
				}
			})
		}
	}
}

// TestUnavailable shows that connection errors end with the deadline and say so.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	issuer, err := gitlab.NewIssuer("http://127.0.0.1:1", gitlab.ES256)
	require.NoError(t, err)
	tenants, err := gitlab.Plan(recipes, 1, 1)
	require.NoError(t, err)
	s := &gitlab.Seeder{
		Client: openbao.New("http://127.0.0.1:1", &http.Client{}), Issuer: issuer, Audience: "x",
		Seed: seed, Recipes: recipes, RetryFor: time.Second,
	}
	_, err = s.Run(t.Context(), tenants)
	require.ErrorContains(t, err, "gave up")
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "eyJ", "a JWT reached an error")
}
