package hygiene

import (
	"bytes"
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func databaseHoldsCiphertext() scenario.Scenario {
	return scenario.Scenario{
		ID:       "hygiene/database-holds-ciphertext",
		Subject:  scenario.SubjectChart,
		Title:    "A database dump contains no value, key or password in plain text",
		Protects: "secrets from everyone who gets a backup or may query the database",
		Source:   "OpenBao: the barrier encrypts all stored data; GitLab's backup guide: dumps leave the instance",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureDatabase},
		// Catches: storage without encryption, an unseal key stored beside the data that it
		// unseals.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			canaries, _, err := inSecrets(ctx, env)
			require.NoError(t, err)
			canaries = append(canaries, values(env)...)
			require.NoError(t, control(canaries[len(canaries)-1:]))
			dump, err := env.Database.Dump(ctx)
			require.NoError(t, err)
			require.True(t, bytes.Contains(dump, []byte(env.Kind.String()+"_kv_store")),
				"the dump does not hold OpenBao's table: the search would prove nothing")
			found, err := newScanner(canaries).scan("dump of the database", bytes.NewReader(dump))
			require.NoError(t, err)
			t.Measure("searched_bytes", float64(len(dump)))
			for _, f := range found {
				t.Errorf("%v", f)
			}
		},
	}
}
