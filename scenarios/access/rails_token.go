package access

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// longestLease is OpenBao's own default of max_lease_ttl.
const longestLease = 768 * time.Hour

// openPaths begin the paths that OpenBao's own default policy grants: a token's own matters.
var openPaths = []string{
	"auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self", "cubbyhole/", "identity/entity/id/{{",
	"identity/entity/name/{{", "identity/oidc/provider/+/authorize", "sys/capabilities-self", "sys/control-group/request",
	"sys/internal/ui/resultant-acl", "sys/leases/lookup", "sys/leases/renew", "sys/renew", "sys/tools/hash",
	"sys/wrapping/",
}

func boundedRailsToken() scenario.Scenario {
	return scenario.Scenario{
		ID:       "access/rails-token-ends",
		Subject:  scenario.SubjectChart,
		Title:    "Rails' token ends, is not root's, and has no other policies than its role's",
		Protects: "every secret: whoever copies Rails' token has what Rails has, for as long as it lives",
		Source:   "OpenBao, tokens: periodic tokens never reach a maximum; max_lease_ttl is 768 h",
		Kind:     scenario.Functional, Budget: time.Minute,
		// Not parallel: scenarios beside it count the tokens that attacks leave behind.
		// Catches: a periodic role, one whose tokens outlive the server's own limit, root's
		// policy.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			header := loginAsRails(ctx, t, env)
			defer func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Fetch)
				defer cancel()
				ended, err := env.Client.Do(ctx, openbao.Request{
					Method: http.MethodPost, Path: "auth/token/revoke-self", Header: header,
				})
				if err != nil || !ended.OK() {
					t.Errorf("ending the token: %v, %v", ended, err)
				}
			}()
			got, err := env.Client.Do(ctx, openbao.Request{
				Method: http.MethodGet, Path: "auth/token/lookup-self", Header: header,
			})
			require.NoError(t, err)
			require.True(t, got.OK(), "auth/token/lookup-self: status %d: %s", got.Status, got.Message())
			var is struct {
				Type     string
				TTL      int64
				Period   int64
				Policies []string
			}
			require.NoError(t, json.Unmarshal(got.Data, &is))
			t.Logf("type %s, ttl %d s, policies %v", is.Type, is.TTL, is.Policies)
			t.Measure("ttl_seconds", float64(is.TTL))
			require.Zero(t, is.Period, "the token is periodic: it can be renewed for ever")
			require.Positive(t, is.TTL, "the token never ends")
			require.LessOrEqual(t, time.Duration(is.TTL)*time.Second, longestLease, "the token outlives the longest lease")
			require.NotContains(t, is.Policies, "root")
			own := slices.DeleteFunc(slices.Clone(is.Policies), func(p string) bool { return p == "default" })
			require.Len(t, own, 1, "policies beside default: %v", is.Policies)
		},
	}
}

// loginAsRails logs in as Rails would without inline authentication, and returns the header that
// carries the token.
func loginAsRails(ctx context.Context, t scenario.T, env *scenario.Env) http.Header {
	t.Helper()
	as, err := env.Issuer.RailsAuth(env.Audience)
	require.NoError(t, err)
	got, err := env.Client.Do(ctx, openbao.Request{
		Method: http.MethodPost, Path: as.Path, Body: map[string]string{"role": as.Role, "jwt": as.JWT},
	})
	require.NoError(t, err)
	require.True(t, got.OK(), "Rails' login: status %d: %s", got.Status, got.Message())
	var login struct {
		Token string `json:"client_token"`
	}
	require.NoError(t, json.Unmarshal(got.Auth, &login))
	require.NotEmpty(t, login.Token)
	return http.Header{openbao.HeaderToken: {login.Token}}
}

func defaultPolicy() scenario.Scenario {
	return scenario.Scenario{
		ID:       "access/default-policy-own-matters",
		Subject:  scenario.SubjectChart,
		Title:    "The default policy, which every token gets, grants nothing but the token's own matters",
		Protects: "every secret from every login: a grant in the default policy is one for everybody",
		Source:   "OpenBao's built-in default policy",
		Kind:     scenario.Functional, Budget: time.Minute, Parallel: true,
		// Catches: a bootstrap that widens the default policy.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			got, err := env.Rails(ctx, http.MethodGet, "sys/policies/acl/default", nil)
			require.NoError(t, err)
			require.True(t, got.OK(), "sys/policies/acl/default: status %d: %s", got.Status, got.Message())
			var policy struct{ Policy string }
			require.NoError(t, json.Unmarshal(got.Data, &policy))
			paths := grantedPaths(policy.Policy)
			require.NotEmpty(t, paths, "the policy names no path")
			for _, p := range paths {
				require.True(t, slices.ContainsFunc(openPaths, func(open string) bool { return strings.HasPrefix(p, open) }),
					"the default policy also grants %s", p)
			}
		},
	}
}

// grant is a path of a policy, in HCL or JSON.
var grant = regexp.MustCompile(`(?m)^\s*(?:path\s+)?"([^"]+)"\s*[:{]`)

// grantedPaths returns the paths that a policy names.
func grantedPaths(policy string) (paths []string) {
	for _, found := range grant.FindAllStringSubmatch(policy, -1) {
		paths = append(paths, found[1])
	}
	return paths
}
