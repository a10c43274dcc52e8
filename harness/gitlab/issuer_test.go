package gitlab_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
)

// TestIssuer verifies what an issuer signs with nothing but its published keys.
func TestIssuer(t *testing.T) {
	t.Parallel()
	tenant := gitlab.Tenant{Name: "org_1/group_2/project_3", Org: 1, Group: 2, Project: 3, User: 4}
	for _, alg := range []gitlab.Algorithm{gitlab.RS256, gitlab.ES256} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			issuer, err := gitlab.NewIssuer("https://gitlab.example", alg)
			require.NoError(t, err)
			raw, err := issuer.JWKS()
			require.NoError(t, err)
			var set jose.JSONWebKeySet
			require.NoError(t, json.Unmarshal(raw, &set))
			require.Len(t, set.Keys, 1)
			require.True(t, set.Keys[0].IsPublic(), "the private key was published")

			pipeline, err := issuer.Pipeline("aud", tenant, gitlab.DefaultJob())
			require.NoError(t, err)
			user, err := issuer.User("aud", tenant)
			require.NoError(t, err)
			privileged, err := issuer.Privileged("aud")
			require.NoError(t, err)
			for scope, token := range map[string]string{"pipeline": pipeline, "user": user, "privileged": privileged} {
				parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
				require.NoError(t, err)
				require.Equal(t, issuer.KeyID(), parsed.Headers[0].KeyID)
				var standard jwt.Claims
				var own map[string]any
				require.NoError(t, parsed.Claims(set.Keys[0].Key, &standard, &own))
				require.NoError(t, standard.Validate(jwt.Expected{
					Issuer: "https://gitlab.example", AnyAudience: jwt.Audience{"aud"}, Time: time.Now(),
				}))
				require.Equal(t, scope, own["secrets_manager_scope"])
				require.IsType(t, "", own["aud"], "GitLab's aud is a plain string")
			}
		})
	}
	_, err := gitlab.NewIssuer("https://gitlab.example", "HS256")
	require.Error(t, err)
}

func TestValue(t *testing.T) {
	t.Parallel()
	base := gitlab.Value("seed", "tenant", "name", 1)
	require.Equal(t, base, gitlab.Value("seed", "tenant", "name", 1))
	require.Regexp(t, regexp.MustCompile("^"+gitlab.ValuePattern+"$"), base)
	seen := map[string]bool{base: true}
	for _, other := range []string{
		gitlab.Value("seed2", "tenant", "name", 1), gitlab.Value("seed", "tenant2", "name", 1),
		gitlab.Value("seed", "tenant", "name2", 1), gitlab.Value("seed", "tenant", "name", 2),
		gitlab.Value("seed", "tenant\x00name", "", 1),
	} {
		require.False(t, seen[other])
		seen[other] = true
	}
}

// TestAnswerHidesValue prints an answer in every way Go offers.
func TestAnswerHidesValue(t *testing.T) {
	s := newSeeder(t)
	tenants, err := gitlab.Plan(s.Recipes, 1, 1)
	require.NoError(t, err)
	tenants[0].Project, tenants[0].Name = 1000, "group_100/project_1000"
	_, err = s.Run(t.Context(), tenants)
	require.NoError(t, err)
	jwt, err := s.Issuer.Pipeline(s.Audience, tenants[0], gitlab.DefaultJob())
	require.NoError(t, err)
	a, err := gitlab.FetchOf(tenants[0], "SECRET_1", jwt).Do(t.Context(), s.Client)
	require.NoError(t, err)
	require.True(t, a.Value() == tenants[0].Value(seed, tenants[0].Secrets[0]), "a message would show the value")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", a, a, a, a), gitlab.ValuePrefix)
}

func TestFixture(t *testing.T) {
	t.Parallel()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	tenants, err := gitlab.Plan(recipes, 3, 2)
	require.NoError(t, err)
	issuer, err := gitlab.NewIssuer("https://gitlab.example", gitlab.ES256)
	require.NoError(t, err)
	f, err := gitlab.NewFixture("http://127.0.0.1:1", seed, "aud", issuer, tenants, time.Minute)
	require.NoError(t, err)
	raw, err := json.Marshal(f)
	require.NoError(t, err)
	require.NotContains(t, string(raw), gitlab.ValuePrefix, "the fixture tells digests, not values")
	require.Len(t, f.Tenants, 3)
	sum := sha256.Sum256([]byte(tenants[2].Value(seed, tenants[2].Secrets[1])))
	require.Equal(t, hex.EncodeToString(sum[:]), f.Tenants[2].Secrets[1].SHA256)
}
