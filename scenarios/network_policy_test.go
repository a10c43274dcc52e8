package scenarios_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	ktesting "k8s.io/client-go/testing"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// policies is an installer whose chart has a NetworkPolicy.
type policies struct {
	scenario.Installer
	on map[string]string // labels of the pods that the chart's policy lets in; nil without the policy
}

func (p *policies) Knows(change string) bool { return change == scenario.ChangeNetworkPolicy }

func (p *policies) Change(_ string, with map[string]any) (map[string]any, error) { return with, nil }

func (p *policies) Upgrade(_ context.Context, r scenario.Release) error {
	p.on = nil
	if r.Values != nil {
		p.on = map[string]string{fmt.Sprint(r.Values["name"]): fmt.Sprint(r.Values["value"])}
	}
	return nil
}

// TestNetworkPolicyHolds plays clusters that enforce policies, and charts, well or badly.
func TestNetworkPolicyHolds(t *testing.T) {
	for name, tc := range map[string]struct {
		// lets reports whether the cluster lets a pod reach OpenBao, by its labels.
		lets   func(labels map[string]string, own bool, chart map[string]string) bool
		status result.Status
		reason string
	}{
		"enforced": {func(labels map[string]string, own bool, chart map[string]string) bool {
			return !(own && labels["steamer/probe"] == "cut-off") &&
				(chart == nil || labels["steamer/probe"] == chart["steamer/probe"])
		}, result.Passed, ""},
		"not enforced": {
			func(map[string]string, bool, map[string]string) bool { return true }, result.Skipped,
			"the cluster's CNI does not enforce NetworkPolicy",
		},
		"the chart's policy selects no pod": {func(labels map[string]string, own bool, _ map[string]string) bool {
			return !(own && labels["steamer/probe"] == "cut-off")
		}, result.Failed, "the stranger reaches the API: false"},
		"the chart's policy lets nobody in": {func(labels map[string]string, own bool, chart map[string]string) bool {
			return !(own && labels["steamer/probe"] == "cut-off") && chart == nil
		}, result.Failed, "the friend reaches the API: true"},
		"the probe reaches nothing": {
			func(map[string]string, bool, map[string]string) bool { return false }, result.Failed, "although no policy is known",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, chart := newWorld(t, 30000), &policies{}
			w.Installer, w.Container = chart, "openbao-server"
			for name, active := range map[string]bool{"a": true, "b": false} {
				p := pod(name, active)
				p.Status.PodIP = "10.0.0.1"
				p.Spec.Containers = []corev1.Container{{
					Name: w.Container,
					ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
						HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(8200)},
					}},
				}}
				w.put(t, p)
			}
			own := false // Steamer's policy is there
			w.kube.PrependReactor("*", "networkpolicies", func(action ktesting.Action) (bool, runtime.Object, error) {
				own = own && action.GetVerb() != "delete" || action.GetVerb() == "create"
				return false, nil, nil
			})
			w.kube.PrependReactor("create", "pods", func(action ktesting.Action) (bool, runtime.Object, error) {
				p := action.(ktesting.CreateAction).GetObject().(*corev1.Pod)
				code := int32(1)
				if tc.lets(p.Labels, own, chart.on) {
					code = 0
				}
				p.Name = "probe"
				p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{
					Terminated: &corev1.ContainerStateTerminated{ExitCode: code},
				}}}
				return false, nil, nil
			})
			r := run(t, w.Env, "config/network-policy-holds")
			require.Equal(t, tc.status, r.Status, r.Reason)
			require.Contains(t, r.Reason, tc.reason)
			require.True(t, r.Tried(), "a cluster that enforces nothing is a reason to skip, and none to doubt a run")
			require.Nil(t, chart.on, "the environment's own values are back")
			left, err := w.kube.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			require.Len(t, left.Items, 2, "probes are removed")
			require.False(t, own, "Steamer's own policy is removed")
		})
	}
}
