package config

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// probeLabel says which rule is for a pod that probes the network.
const probeLabel = "steamer/probe"

// The values of probeLabel.
const (
	friend   = "friend"   // the chart's policy lets it in
	stranger = "stranger" // no policy lets it in
	cutOff   = "cut-off"  // Steamer's own policy lets it out to nobody
)

func networkPolicyHolds() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/network-policy-holds",
		Subject:  scenario.SubjectChart,
		Title:    "With the chart's NetworkPolicy, the pods it names reach the API and no other pod does",
		Protects: intruders,
		Source:   "Kubernetes: NetworkPolicy; the cluster's CNI has to enforce it, which a probe finds out",
		Kind:     scenario.Lifecycle,
		Budget:   6 * time.Minute,
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller, scenario.Change(scenario.ChangeNetworkPolicy),
		},
		Rights: []scenario.Right{
			{Verbs: "get create delete", Resource: "pods"},
			{Verbs: "create delete", Group: "networking.k8s.io", Resource: "networkpolicies"},
		},
		// Catches: a policy that selects no pod, a rule for the wrong port, one that also shuts
		// out those whom the values name.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := settled(ctx, t, env)
			why, err := unenforced(ctx, env, *active)
			require.NoError(t, err)
			if why != "" {
				t.Skip("%s", why)
			}
			values, err := env.Installer.Change(scenario.ChangeNetworkPolicy, map[string]any{
				"name":  probeLabel,
				"value": friend,
			})
			require.NoError(t, err)
			defer func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Upgrade)
				defer cancel()
				if err := env.Installer.Upgrade(ctx, scenario.Release{}); err != nil {
					t.Errorf("restoring the environment: %v", err)
					return
				}
				cluster.MustServe(ctx, t, env)
			}()
			require.NoError(t, env.Installer.Upgrade(ctx, scenario.Release{Values: values}))
			active = settled(ctx, t, env)
			for who, want := range map[string]bool{stranger: false, friend: true} {
				env.Await(ctx, t, fmt.Sprintf("the %s reaches the API: %t", who, want), env.Timeouts.Failover,
					func(ctx context.Context) error {
						got, err := reaches(ctx, env, who, *active)
						if err == nil && got != want {
							err = fmt.Errorf("it reaches pod %s: %t", active.Name, got)
						}
						return err
					})
			}
		},
	}
}

func reaches(ctx context.Context, env *scenario.Env, who string, to corev1.Pod) (bool, error) {
	return cluster.Probe(ctx, env, map[string]string{probeLabel: who}, to)
}

// unenforced returns why the cluster enforces no NetworkPolicy, or "": a pod that a policy lets
// out to nobody reaches OpenBao all the same. Without the policy it has to reach it, or the probe
// says nothing.
func unenforced(ctx context.Context, env *scenario.Env, to corev1.Pod) (why string, err error) {
	reached, err := reaches(ctx, env, cutOff, to)
	if err != nil {
		return "", err
	}
	if !reached {
		return "", errors.New("a pod of the same namespace cannot reach OpenBao, although no policy is known that forbids it")
	}
	policies := env.Kube.NetworkingV1().NetworkPolicies(env.Namespace)
	made, err := policies.Create(ctx, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "steamer-probe-"},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{probeLabel: cutOff}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	defer func() {
		clean, done := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Fetch)
		defer done()
		if gone := policies.Delete(clean, made.Name, metav1.DeleteOptions{}); !apierrors.IsNotFound(gone) {
			err = errors.Join(err, gone)
		}
	}()
	for range attempts { // a CNI takes a moment for a new policy
		if reached, err = reaches(ctx, env, cutOff, to); err != nil || !reached {
			return "", err
		}
	}
	return "the cluster's CNI does not enforce NetworkPolicy: a pod that a policy lets out to nobody reached OpenBao", nil
}

// attempts is how many pods may still get through before a policy counts as not enforced.
const attempts = 3
