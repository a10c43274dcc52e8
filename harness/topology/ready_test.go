package topology

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

var podLabels = map[string]string{"app.kubernetes.io/name": "openbao", "app.kubernetes.io/instance": "openbao"}

func meta(name string, extra map[string]string) metav1.ObjectMeta {
	own := map[string]string{}
	for _, set := range []map[string]string{podLabels, extra} {
		for key, value := range set {
			own[key] = value
		}
	}
	return metav1.ObjectMeta{Name: name, Namespace: "steamer-cn", Labels: own}
}

func baoPod(name, ip string, active bool) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: meta(name, map[string]string{
			"openbao-active": fmt.Sprint(active), "openbao-sealed": "false", "openbao-initialized": "true",
		}),
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: ip, Conditions: []corev1.PodCondition{{
				Type:   corev1.PodReady,
				Status: corev1.ConditionTrue,
			}},
		},
	}
}

// otherPod has the labels of the servers, and a controller of a kind, "" for none.
func otherPod(phase corev1.PodPhase, controller string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: meta("other", nil), Status: corev1.PodStatus{Phase: phase}}
	if controller != "" {
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: controller, Name: "x", Controller: new(true)}}
	}
	return pod
}

func endpoints(ips ...string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{ObjectMeta: meta("openbao-active-x",
		map[string]string{discoveryv1.LabelServiceName: "openbao-active"})}
	for _, ip := range ips {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{ip}})
	}
	return slice
}

// world is what the API server would show of an installation.
type world struct {
	replicas  *int32
	set       bool // a StatefulSet instead of a Deployment
	scaler    *autoscalingv2.HorizontalPodAutoscaler
	pods      []*corev1.Pod
	endpoints *discoveryv1.EndpointSlice
}

// scaler is an autoscaler with a minimum of two.
func scaler(target string) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: meta("openbao", nil),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			MinReplicas: new(int32(2)), ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
				Kind: "Deployment",
				Name: target,
			},
		},
	}
}

// check asks the fake API server as AwaitReady does, up to the first request.
func (w world) check(t *testing.T) error {
	t.Helper()
	objects := []runtime.Object{w.endpoints}
	// The workload's own labels say nothing: the community chart's StatefulSet lacks one that its
	// pods have.
	own, template := metav1.ObjectMeta{Name: "openbao", Namespace: "steamer-cn"},
		corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: podLabels}}
	switch {
	case w.set:
		objects = append(objects, &appsv1.StatefulSet{ObjectMeta: own, Spec: appsv1.StatefulSetSpec{
			Replicas: w.replicas,
			Template: template,
		}})
	case w.replicas != nil:
		objects = append(objects, &appsv1.Deployment{ObjectMeta: own, Spec: appsv1.DeploymentSpec{
			Replicas: w.replicas,
			Template: template,
		}})
	}
	if w.scaler != nil {
		objects = append(objects, w.scaler)
	}
	for _, pod := range w.pods {
		objects = append(objects, pod)
	}
	dialect, err := DialectNamed("gitlab")
	require.NoError(t, err)
	env := &Environment{
		Spec: Spec{Topology: CloudNative, Dialect: dialect}, Namespace: "steamer-cn",
		Cluster: &cluster.Cluster{Client: fake.NewClientset(objects...)},
	}
	active, err := env.Active(t.Context())
	if err != nil {
		return err
	}
	return env.endpoint(t.Context(), active)
}

// TestReadiness breaks a healthy installation in each way that readiness has to see.
func TestReadiness(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		breaks func(w *world)
		want   string // empty: ready
	}{
		"healthy":      {func(*world) {}, ""},
		"no workload":  {func(w *world) { w.replicas = nil }, "no Deployment or StatefulSet"},
		"stateful set": {func(w *world) { w.set = true }, ""},
		"set of three": {
			func(w *world) { w.set, w.replicas = true, new(int32(3)) },
			"2 OpenBao pods exist, the chart asks for 3",
		},
		"not scaled yet": {
			func(w *world) { w.replicas, w.pods, w.scaler = new(int32(1)), w.pods[:1], scaler("openbao") },
			"1 OpenBao pods exist, the chart asks for 2",
		},
		"scaled": {func(w *world) { w.scaler = scaler("openbao") }, ""},
		"another's scaler": {
			func(w *world) { w.replicas, w.pods, w.scaler = new(int32(1)), w.pods[:1], scaler("other") },
			"",
		},
		"a pod missing": {func(w *world) { w.pods = w.pods[:1] }, "1 OpenBao pods exist, the chart asks for 2"},
		"a pod too many": {
			func(w *world) { w.pods = append(w.pods, baoPod("c", "10.0.0.3", false)) },
			"3 OpenBao pods exist",
		},
		"a Job's pod that is done": {
			func(w *world) { w.pods = append(w.pods, otherPod(corev1.PodSucceeded, "Job")) }, "",
		},
		"a Job's pod that failed": {func(w *world) { w.pods = append(w.pods, otherPod(corev1.PodFailed, "Job")) }, ""},
		"a Job's pod that runs":   {func(w *world) { w.pods = append(w.pods, otherPod(corev1.PodRunning, "Job")) }, ""},
		"a test pod that is done": {func(w *world) { w.pods = append(w.pods, otherPod(corev1.PodSucceeded, "")) }, ""},
		"an evicted pod": {
			func(w *world) { w.pods = append(w.pods, otherPod(corev1.PodFailed, "ReplicaSet")) },
			"",
		},
		"an evicted pod of a set": {
			func(w *world) { w.pods = append(w.pods, otherPod(corev1.PodFailed, "StatefulSet")) },
			"",
		},
		"a replica that starts": {
			func(w *world) { w.pods = append(w.pods, otherPod(corev1.PodPending, "ReplicaSet")) }, "3 OpenBao pods exist",
		},
		"an evicted pod in place of another": {
			func(w *world) { w.pods = append(w.pods[:1], otherPod(corev1.PodFailed, "ReplicaSet")) },
			"1 OpenBao pods exist, the chart asks for 2",
		},
		"not ready": {
			func(w *world) { w.pods[1].Status.Conditions[0].Status = corev1.ConditionFalse },
			"pod b is not Ready: Running",
		},
		"no condition": {func(w *world) { w.pods[1].Status.Conditions = nil }, "pod b is not Ready"},
		"uninitialised": {
			func(w *world) { w.pods[1].Labels["openbao-initialized"] = "false" },
			"pod b is not initialised",
		},
		"unregistered": {
			func(w *world) { delete(w.pods[0].Labels, "openbao-initialized") },
			"pod a has no labels from OpenBao's service registration",
		},
		"sealed":      {func(w *world) { w.pods[1].Labels["openbao-sealed"] = "true" }, "pod b is sealed"},
		"two active":  {func(w *world) { w.pods[1].Labels["openbao-active"] = "true" }, "2 active pods, want exactly 1"},
		"none active": {func(w *world) { w.pods[0].Labels["openbao-active"] = "false" }, "0 active pods"},
		"no endpoint": {func(w *world) { w.endpoints = endpoints() }, "leads to []"},
		"wrong endpoint": {
			func(w *world) { w.endpoints = endpoints("10.0.0.2") },
			"want only the active pod a at 10.0.0.1",
		},
		"both endpoints": {
			func(w *world) { w.endpoints = endpoints("10.0.0.1", "10.0.0.2") },
			"leads to [10.0.0.1 10.0.0.2]",
		},
		"endpoint unready": {func(w *world) { w.endpoints.Endpoints[0].Conditions.Ready = new(bool) }, "leads to []"},
		"crash loop": {func(w *world) {
			w.pods[1].Status.Conditions = nil
			w.pods[1].Status.ContainerStatuses = []corev1.ContainerStatus{{
				Name: "openbao-server",
				State: corev1.ContainerState{
					Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off"},
				},
			}}
		}, "container openbao-server: CrashLoopBackOff back-off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			two := int32(2)
			w := world{
				replicas: &two, pods: []*corev1.Pod{baoPod("a", "10.0.0.1", true), baoPod("b", "10.0.0.2", false)},
				endpoints: endpoints("10.0.0.1"),
			}
			tc.breaks(&w)
			err := w.check(t)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestAsRails checks that a scoped policy's refusal is an answer of a ready server, and that of the
// login is not.
func TestAsRails(t *testing.T) {
	t.Parallel()
	issuer, err := gitlab.NewIssuer("http://issuer.test", gitlab.RS256)
	require.NoError(t, err)
	for _, tt := range []struct {
		status      int
		loginFailed string
		ready       bool
	}{
		{http.StatusOK, "", true},
		{http.StatusForbidden, "", true},
		{http.StatusForbidden, "true", false},
		{http.StatusBadRequest, "true", false},
		{http.StatusServiceUnavailable, "", false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if tt.loginFailed != "" {
				w.Header().Set("X-Vault-Inline-Auth-Failed", tt.loginFailed)
			}
			w.WriteHeader(tt.status)
		}))
		client := openbao.New(server.URL, nil)
		err := (&Environment{Issuer: issuer}).asRails(t.Context(), client)
		require.Equal(t, tt.ready, err == nil, "%v: %v", tt, err)
		client.Close()
		server.Close()
	}
}
