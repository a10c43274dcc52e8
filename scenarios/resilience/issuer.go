package resilience

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

const issuerSource = "openbao/openbao, builtin/credential/jwt: keys are fetched when a login first needs them, and again for an unknown key ID"

func issuerDown() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/issuer-down",
		Title:    "While GitLab serves no keys OpenBao goes on with those it knows, survives a fail-over, and needs nothing but GitLab's return",
		Protects: "jobs that run during an upgrade of GitLab, and whoever would have to restart OpenBao after it",
		Source:   issuerSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureGitLab},
		Kind:     scenario.Fault,
		Cost:     scenario.Slow,
		Budget:   6 * time.Minute,
		// Catches: keys that are fetched for every login, an unseal or a probe that waits for
		// GitLab, logins that never recover.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, after := disturb(ctx, t, env, env.Timeouts.Ready, func(s *stage) {
				for _, tenant := range env.Sample(4) {
					require.NoError(t, env.Check(ctx, tenant, tenant.Secrets[0]), "with GitLab there")
				}
				defer lift(ctx, t, env)
				gone := scenario.Failure{Status: http.StatusServiceUnavailable}
				require.NoError(t, env.GitLab.Disturb(ctx, map[string]scenario.Failure{
					scenario.EndpointDiscovery: gone,
					scenario.EndpointKeys:      gone,
				}))
				for _, tenant := range env.Sample(4) {
					require.NoError(t, env.Check(ctx, tenant, tenant.Secrets[0]), "with keys it knows and GitLab gone")
				}
				t.Logf("deleting the active pod %s, so that no node knows a key", s.active.Name)
				require.NoError(t, env.Kube.CoreV1().Pods(env.Namespace).Delete(ctx, s.active.Name, metav1.DeleteOptions{}))
				takenOver(ctx, t, env, s.active)
				cluster.MustHealthy(ctx, t, env, "both pods are ready without GitLab",
					scenario.Convergence{Deadline: env.Timeouts.Ready})
				lift(ctx, t, env)
				started := time.Now()
				recovered(ctx, t, env)
				t.Measure("recovery_seconds", time.Since(started).Seconds())
			})
			require.NotEqual(t, before.UID, after.UID, "the deleted pod is still the active one")
		},
	}
}

// lift takes the faults of the issuer back, also when ctx has ended.
func lift(ctx context.Context, t scenario.T, env *scenario.Env) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Fetch)
	defer cancel()
	if err := env.GitLab.Disturb(ctx, map[string]scenario.Failure{
		scenario.EndpointDiscovery: {},
		scenario.EndpointKeys:      {},
	}); err != nil {
		t.Errorf("the issuer's faults could not be lifted: %v", err)
	}
}

func issuerKeyRotated() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/issuer-key-rotated",
		Title:    "When GitLab signs with a new key, tokens of the new one and of the one before are taken, and a stranger's are not",
		Protects: "every job after GitLab's signing key was rotated",
		Source:   issuerSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureGitLab},
		Kind:     scenario.Fault,
		Cost:     scenario.Slow,
		Budget:   3 * time.Minute,
		// Catches: keys that are cached for good, an unknown key ID that is refused without another
		// look.
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
					t.Errorf("the run's own keys could not be published again: %v", err)
				}
			}()
			require.NoError(t, env.GitLab.Publish(ctx, both))
			for _, tenant := range env.Sample(2) {
				took := scenario.MustConverge(ctx, t, scenario.Convergence{
					What: "a token of the new key works at " + tenant.Name, Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Labels,
				}, func(ctx context.Context) error { return signedBy(ctx, env, second, tenant) })
				t.Measure("new_key_seconds", took.Seconds())
				require.NoError(t, signedBy(ctx, env, env.Issuer, tenant), "a token of the key before")
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
