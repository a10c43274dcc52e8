package resilience

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func issuerKeyRotated() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/issuer-key-rotated",
		Subject:  scenario.SubjectChart,
		Title:    "After GitLab rotates its signing key, tokens of both keys work and no others do",
		Protects: "every job after GitLab's signing key was rotated",
		Source:   issuerSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureGitLab},
		Budget:   3 * time.Minute,
		// Catches: keys that are cached forever, an unknown key ID that is refused without
		// fetching the keys again.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			second, err := gitlab.NewIssuer(env.Issuer.URL(), gitlab.RS256)
			require.NoError(t, err)
			stranger, err := gitlab.NewIssuer(env.Issuer.URL(), gitlab.RS256)
			require.NoError(t, err)
			both, err := merge(env.Issuer, second)
			require.NoError(t, err)
			defer func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Fetch)
				defer cancel()
				if err := env.GitLab.Publish(ctx, nil); err != nil {
					t.Errorf("publishing the run's own keys again: %v", err)
				}
			}()
			require.NoError(t, env.GitLab.Publish(ctx, both))
			for _, tenant := range env.Sample(2) {
				took := env.Await(ctx, t, "a token of the new key works at "+tenant.Name, env.Timeouts.Labels,
					func(ctx context.Context) error { return signedBy(ctx, env, second, tenant) })
				t.Measure("new_key_seconds", took.Seconds())
				require.NoError(t, signedBy(ctx, env, env.Issuer, tenant), "a token of the previous key")
				require.Error(t, signedBy(ctx, env, stranger, tenant), "a token of a key that was never published works")
			}
		},
	}
}

// merge is a key set with the keys of several issuers.
func merge(issuers ...*gitlab.Issuer) ([]byte, error) {
	type set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	var all set
	for _, i := range issuers {
		raw, err := i.JWKS()
		if err != nil {
			return nil, err
		}
		var one set
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, err
		}
		all.Keys = append(all.Keys, one.Keys...)
	}
	return json.Marshal(all)
}

// signedBy fetches a secret with a token that an issuer signed.
func signedBy(ctx context.Context, env *scenario.Env, issuer *gitlab.Issuer, tenant gitlab.Tenant) error {
	jwt, err := issuer.Pipeline(env.Audience, tenant, gitlab.DefaultJob())
	if err != nil {
		return err
	}
	a, err := env.Send(ctx, gitlab.FetchOf(tenant, tenant.Secrets[0].Name, jwt))
	if err == nil && (!a.OK() || a.Value() != tenant.Value(env.Seed, tenant.Secrets[0])) {
		err = fmt.Errorf("%v", a)
	}
	return err
}
