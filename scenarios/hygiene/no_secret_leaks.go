package hygiene

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func noSecretLeaks() scenario.Scenario {
	return scenario.Scenario{
		ID:       "hygiene/no-secret-leaks",
		Subject:  scenario.SubjectChart,
		Title:    "No seeded value and no JWT is in any pod's logs, events, ConfigMaps, Helm releases or Steamer's files",
		Protects: "secrets from everyone who may read logs or Helm releases but not Secrets",
		Source:   "CVE-2026-46358 (inline-auth headers in audit logs)",
		Features: []scenario.Feature{scenario.FeatureCluster},
		Core:     true,
		// Catches: raw values in the audit log, JWTs in request logs, also of pods that are gone,
		// an unseal key or a password in a ConfigMap or release, secrets in Steamer's own files.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			canaries := values(env)
			jwts, err := plant(ctx, env)
			require.NoError(t, err)
			canaries = append(canaries, jwts...)
			require.NoError(t, control(canaries[len(canaries)-1:]))
			require.NoError(t, control(canaries[:1]))

			scanner, logs := newScanner(canaries), 0
			var found []finding
			for _, namespace := range namespaces(env) {
				more, n, err := scanner.namespace(ctx, env.Kube, namespace)
				require.NoError(t, err)
				found = append(found, more...)
				logs += n
			}
			found = append(found, everything(t, env, scanner)...)
			sources, size := scanner.scanned()
			t.Logf("searched %d sources for %d canaries", sources, len(canaries))
			t.Measure("searched_bytes", float64(size))
			t.Measure("container_logs", float64(logs))
			require.NotZero(t, logs, "no container log was read, so the search proves nothing")
			for _, f := range found {
				t.Errorf("%v", f)
			}
		},
	}
}

// everything searches the logs of the whole run and Steamer's own files. Where some of the logs
// could not be kept, the scenario cannot pass.
func everything(t scenario.T, env *scenario.Env, scanner *scanner) []finding {
	t.Helper()
	found, read, gaps, err := scanner.kept(env.Logs)
	require.NoError(t, err)
	t.Measure("followed_logs", float64(read))
	for _, gap := range gaps {
		t.Logf("not searched: %s", gap)
	}
	if len(gaps) > 0 {
		t.Void("%d gaps in %d followed logs, the first: %s", len(gaps), read, gaps[0])
	}
	if env.Artifacts != "" {
		more, err := scanner.directory(env.Artifacts)
		require.NoError(t, err)
		found = append(found, more...)
	}
	return found
}

// values are the secrets that were seeded.
func values(env *scenario.Env) []canary {
	var out []canary
	for _, tenant := range env.Sample(20) {
		for _, secret := range tenant.Secrets {
			out = append(out, canary{
				Label:  fmt.Sprintf("value of %s of %s", secret.Name, tenant.Name),
				Secret: tenant.Value(env.Seed, secret),
			})
		}
	}
	return out
}

// plant sends JWTs on every path where a server might log one: a fetch that works, a refused login
// and a refused read. It returns the tokens' signatures, which cannot be guessed.
func plant(ctx context.Context, env *scenario.Env) ([]canary, error) {
	var out []canary
	for _, tenant := range env.Sample(2) {
		expired := gitlab.DefaultJob()
		expired.TTL = -time.Hour
		for _, f := range []struct {
			what, name string
			job        gitlab.Job
		}{
			{"a successful fetch", tenant.Secrets[0].Name, gitlab.DefaultJob()},
			{"a refused login", tenant.Secrets[0].Name, expired},
			{"a refused read", "STEAMER_NO_SUCH_SECRET", gitlab.DefaultJob()},
		} {
			jwt, err := env.Issuer.Pipeline(env.Audience, tenant, f.job)
			if err != nil {
				return nil, err
			}
			if _, err := env.Send(ctx, gitlab.FetchOf(tenant, f.name, jwt)); err != nil {
				return nil, fmt.Errorf("%s: %w", f.what, err)
			}
			out = append(out, canary{
				Label:  "JWT of " + f.what + " by " + tenant.Name,
				Secret: jwt[strings.LastIndexByte(jwt, '.')+1:],
			})
		}
	}
	return out, nil
}
