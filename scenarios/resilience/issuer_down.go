package resilience

import (
	"context"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

const issuerSource = "openbao/openbao, builtin/credential/jwt: keys are fetched when a login first needs " +
	"them, and again for an unknown key ID"

func issuerDown() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/issuer-down",
		Subject:  scenario.SubjectChart,
		Title:    "Fetches work with known keys while GitLab is down, and recover after a failover when it returns",
		Protects: "jobs during an upgrade of GitLab, and operators from restarting OpenBao after it",
		Source:   issuerSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureGitLab},
		// Catches: keys that are fetched for every login, an unseal or a probe that waits for
		// GitLab, logins that never recover.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, after := disturb(ctx, t, env, judge.OutageIssuerDown, func(s *stage) {
				for _, tenant := range env.Sample(4) {
					require.NoError(t, env.Check(ctx, tenant, tenant.Secrets[0]), "while GitLab serves keys")
				}
				defer lift(ctx, t, env)
				gone := scenario.Failure{Status: http.StatusServiceUnavailable}
				require.NoError(t, env.GitLab.Disturb(ctx, map[string]scenario.Failure{
					scenario.EndpointDiscovery: gone,
					scenario.EndpointKeys:      gone,
				}))
				for _, tenant := range env.Sample(4) {
					require.NoError(t, env.Check(ctx, tenant, tenant.Secrets[0]), "with known keys while GitLab serves none")
				}
				t.Logf("deleting the active pod %s, so that no node has cached keys", s.active.Name)
				require.NoError(t, cluster.DeletePod(ctx, env, s.active.Name))
				takenOver(ctx, t, env, s.active)
				cluster.MustHealthy(ctx, t, env, "both pods are ready without GitLab", env.Timeouts.Ready)
				lift(ctx, t, env)
				started := time.Now()
				recovered(ctx, t, env)
				t.Measure("recovery_seconds", time.Since(started).Seconds())
			})
			require.NotEqual(t, before.UID, after.UID, "the deleted pod is still the active one")
		},
	}
}

// lift removes the issuer's faults, also when ctx has ended.
func lift(ctx context.Context, t scenario.T, env *scenario.Env) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Fetch)
	defer cancel()
	if err := env.GitLab.Disturb(ctx, map[string]scenario.Failure{
		scenario.EndpointDiscovery: {},
		scenario.EndpointKeys:      {},
	}); err != nil {
		t.Errorf("removing the issuer's faults: %v", err)
	}
}
