package resilience

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func wrongUnsealKey() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/wrong-unseal-key",
		Subject:  scenario.SubjectChart,
		Title:    "A pod with the wrong unseal key reports it, gets no traffic, raises an alert and recovers",
		Protects: "operators from a broken standby that goes unnoticed until the active pod fails",
		Source:   "GitLab's OpenBao chart, troubleshooting: cipher: message authentication failed; metric core.unsealed",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureUnsealKey, scenario.FeatureMetrics},
		// Catches: probes that call a sealed pod ready, a Service that leads to it, no metric or
		// no alert for it, a pod that restarts repeatedly instead of reporting the error, a
		// standby whose failure affects the active pod.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, after := disturb(ctx, t, env, judge.OutageStandbyLost, func(s *stage) {
				right, err := cluster.UnsealKey(ctx, env)
				require.NoError(t, err)
				require.NoError(t, cluster.PutUnsealKey(ctx, env, cluster.NewUnsealKey()))
				var name string
				defer func() {
					if err := cluster.PutUnsealKey(context.WithoutCancel(ctx), env, right); err != nil {
						t.Errorf("restoring the unseal key: %v", err)
					}
					remove(ctx, t, env, name)
				}()
				t.Logf("replacing the standby %s by one with the wrong key", s.standby.Name)
				require.NoError(t, cluster.DeletePod(ctx, env, s.standby.Name))
				name = replacement(ctx, t, env, s).Name
				took := env.Await(ctx, t, "the pod with the wrong key reports it", env.Timeouts.Ready,
					func(ctx context.Context) error { return reportsKey(ctx, env, name) })
				t.Measure("visible_seconds", took.Seconds())
				outOfService(ctx, t, env, name, "sealed")
				raisesAlert(ctx, t, env, name, s.active.Name)
			})
			require.Equal(t, before.UID, after.UID, "leadership moved although only the standby had the wrong key")
		},
	}
}

// remove deletes a pod, so that its workload makes a new one, also when ctx has ended.
func remove(ctx context.Context, t scenario.T, env *scenario.Env, name string) {
	t.Helper()
	if name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Fetch)
	defer cancel()
	if err := cluster.DeletePod(ctx, env, name); err != nil {
		t.Errorf("deleting the sealed pod: %v", err)
	}
}

// reportsKey returns nil when a pod's log, labels and readiness report that its key does not match
// the database.
func reportsKey(ctx context.Context, env *scenario.Env, name string) error {
	pod, err := env.Kube.CoreV1().Pods(env.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if cluster.Ready(*pod) || openbao.Registered(pod.Labels, openbao.LabelSealed) != "true" {
		return fmt.Errorf("the pod must be unready and labelled sealed: %s", cluster.Describe([]corev1.Pod{*pod}))
	}
	log, err := cluster.Log(ctx, env, name)
	if err == nil && !strings.Contains(log, "message authentication failed") {
		err = errors.New("its log does not report that the key is wrong")
	}
	return err
}
