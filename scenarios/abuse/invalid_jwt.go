package abuse

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func invalidJWT() scenario.Scenario {
	return scenario.Scenario{
		ID:       "abuse/invalid-jwt",
		Title:    "A JWT that is expired, forged or meant for somebody else is refused at the login",
		Protects: "all secrets of a project from anyone who can make up or replay a token",
		Source:   "RFC 7519, RFC 8725",
		Kind:     scenario.Abuse,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: a huge leeway, a role without audience or scope, a verifier that
		// accepts none or HMAC, keys of another issuer.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			forger, err := gitlab.NewIssuer(env.Issuer.URL(), gitlab.RS256)
			require.NoError(t, err)
			refused := 0
			for _, tenant := range env.Sample(4) {
				for _, f := range forgeries() {
					jwt, err := f.make(env, tenant, forger)
					require.NoError(t, err, "%s", f.name)
					a, err := env.Send(ctx, gitlab.FetchOf(tenant, tenant.Secrets[0].Name, jwt))
					switch {
					case err != nil:
						t.Errorf("%s at %s: %v", f.name, tenant.Name, err)
					case a.Status < 400 || a.Status > 499 || !a.InlineAuthFailed:
						t.Errorf("%s at %s: %v, want the login refused with a 4xx", f.name, tenant.Name, a)
					default:
						refused++
					}
				}
				// The refusals must not have cost the tenant its own access.
				if err := env.Check(ctx, tenant, tenant.Secrets[0]); err != nil {
					t.Errorf("afterwards a valid JWT does not work: %v", err)
				}
			}
			t.Measure("refused", float64(refused))
		},
	}
}

// forgery is one way to make a JWT that must not work. Each differs from a valid
// one in a single respect.
type forgery struct {
	name string
	make func(env *scenario.Env, t gitlab.Tenant, forger *gitlab.Issuer) (string, error)
}

// beyondLeeway is longer than the 60 s of clock skew that GitLab's roles allow.
// Their other two leeways, 150 s each, only stand in for claims that are absent
// (hashicorp/cap, jwt.Validator), so that an exp is never stretched by them.
const beyondLeeway = 10 * time.Minute

func forgeries() []forgery {
	return []forgery{
		altered("expired", func(c map[string]any) {
			c["exp"] = time.Now().Add(-beyondLeeway).Unix()
			c["iat"] = time.Now().Add(-2 * beyondLeeway).Unix()
			c["nbf"] = c["iat"]
		}),
		altered("not yet valid", func(c map[string]any) { c["nbf"] = time.Now().Add(beyondLeeway).Unix() }),
		altered("wrong audience", func(c map[string]any) { c["aud"] = "https://somewhere-else.example" }),
		altered("no audience", func(c map[string]any) { delete(c, "aud") }),
		altered("wrong issuer", func(c map[string]any) { c["iss"] = "https://somewhere-else.example" }),
		altered("wrong scope", func(c map[string]any) { c["secrets_manager_scope"] = "user" }),
		altered("no scope", func(c map[string]any) { delete(c, "secrets_manager_scope") }),
		{"unsigned (alg none)", func(env *scenario.Env, t gitlab.Tenant, _ *gitlab.Issuer) (string, error) {
			return gitlab.Unsigned(valid(env, t))
		}},
		{"HMAC keyed with the public key", func(env *scenario.Env, t gitlab.Tenant, _ *gitlab.Issuer) (string, error) {
			key, err := env.Issuer.PublicPEM()
			if err != nil {
				return "", err
			}
			return gitlab.SignHMAC(valid(env, t), env.Issuer.KeyID(), key)
		}},
		{"another key under its own ID", func(env *scenario.Env, t gitlab.Tenant, forger *gitlab.Issuer) (string, error) {
			return forger.Sign(valid(env, t), nil)
		}},
		{"another key under the true ID", func(env *scenario.Env, t gitlab.Tenant, forger *gitlab.Issuer) (string, error) {
			return forger.Sign(valid(env, t), map[string]any{"kid": env.Issuer.KeyID()})
		}},
	}
}

func valid(env *scenario.Env, t gitlab.Tenant) map[string]any {
	return env.Issuer.PipelineClaims(env.Audience, t, gitlab.DefaultJob())
}

// altered is a valid token with changed claims and a true signature.
func altered(name string, change func(claims map[string]any)) forgery {
	return forgery{name, func(env *scenario.Env, t gitlab.Tenant, _ *gitlab.Issuer) (string, error) {
		claims := valid(env, t)
		change(claims)
		return env.Issuer.Sign(claims, nil)
	}}
}
