package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func unsealKeyRotation() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/unseal-key-rotation",
		Subject:  scenario.SubjectChart,
		Title:    "The static unseal key can be rotated, and the old key is not needed afterwards",
		Protects: "operators who have to replace a key that may have leaked",
		Source:   "GitLab's OpenBao chart, merge request 74; OpenBao's static seal: current_key and previous_key",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller, scenario.FeatureUnsealKey,
			scenario.Change(scenario.ChangeUnsealKey),
		},
		Budget: 15 * time.Minute,
		// Catches: templates that cannot render a previous key, a seal that is not rewrapped, so
		// that the pods stay sealed once the old key is gone.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			fresh := cluster.NewUnsealKey()
			id := fmt.Sprintf("rotated-%d", time.Now().Unix())
			name := env.Release + "-unseal-" + id
			_, err := env.Kube.CoreV1().Secrets(env.Namespace).Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{env.Unseal.Key: fresh},
			}, metav1.CreateOptions{})
			require.NoError(t, err)

			require.NoError(t, ensureRecoveryKey(ctx, env))
			both := map[string]any{
				"id": id, "secret": name, "key": env.Unseal.Key,
				"previousId": env.Unseal.ID, "previousSecret": env.Unseal.Secret, "previousKey": env.Unseal.Key,
			}
			through(ctx, t, env, judge.OutageKeyRotation, upgrade(env, scenario.ChangeUnsealKey, both))
			only := map[string]any{
				"id": id, "secret": name, "key": env.Unseal.Key, "previousId": "", "previousSecret": "",
				"previousKey": "",
			}
			t.Logf("both keys work; dropping the old one")
			through(ctx, t, env, judge.OutageKeyRotation, upgrade(env, scenario.ChangeUnsealKey, only))

			values, err := env.Installer.Change(scenario.ChangeUnsealKey, only)
			require.NoError(t, err)
			env.Installer.Adopt(values)
			env.Unseal = scenario.KeyRef{ID: id, Secret: name, Key: env.Unseal.Key, External: true}
		},
	}
}

// ensureRecoveryKey creates the recovery key that OpenBao requires before it uses a new unseal
// key. A server that initialised itself has none. GitLab has a rake task for it. The key itself is
// discarded, because nothing needs it again. Source: openbao/openbao, vault/seal_autoseal.go
// (UpgradeKeys) and vault/rotate.go (InitRotation) at v2.4.0.
func ensureRecoveryKey(ctx context.Context, env *scenario.Env) error {
	const path = "sys/rotate/recovery/init"
	answer, err := env.Rails(ctx, http.MethodPost, path, map[string]any{"secret_shares": 1, "secret_threshold": 1})
	if err != nil {
		return fmt.Errorf("recovery key: %w", err)
	}
	if !answer.OK() {
		return fmt.Errorf("recovery key: POST %s: status %d: %s", path, answer.Status, answer.Message())
	}
	var data struct {
		Complete bool `json:"complete"`
	}
	if err := json.Unmarshal(answer.Data, &data); err != nil || data.Complete {
		return err
	}
	// There was a recovery key, and its rotation has begun. Cancel it.
	answer, err = env.Rails(ctx, http.MethodDelete, path, nil)
	if err == nil && !answer.OK() {
		err = fmt.Errorf("recovery key: DELETE %s: status %d: %s", path, answer.Status, answer.Message())
	}
	return err
}
