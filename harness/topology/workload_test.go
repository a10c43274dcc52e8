package topology

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	kubetesting "k8s.io/client-go/testing"

	"gitlab.com/steamer/steamer/harness/cluster"
)

// environment is one on a fake API server with these objects.
func environment(t *testing.T, objects ...runtime.Object) (*Environment, *fake.Clientset) {
	t.Helper()
	dialect, err := DialectNamed("gitlab")
	require.NoError(t, err)
	client := fake.NewClientset(objects...)
	return &Environment{
		Spec: Spec{Topology: CloudNative, Dialect: dialect, Run: "test", NodePort: 30820}, Namespace: "steamer-cn",
		Cluster: &cluster.Cluster{Client: client}, Log: func(string) {},
	}, client
}

// TestAutoscalersThatMayNotBeSeen: on an existing cluster the user may lack the right, and then
// has installed none.
func TestAutoscalersThatMayNotBeSeen(t *testing.T) {
	t.Parallel()
	env, client := environment(t)
	for forbidden, want := range map[bool]bool{true: true, false: false} {
		client.PrependReactor("list", "horizontalpodautoscalers", func(kubetesting.Action) (bool, runtime.Object, error) {
			if forbidden {
				return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "horizontalpodautoscalers"}, "",
					errors.New("no"))
			}
			return true, nil, errors.New("the API server is away")
		})
		least, err := env.autoscaled(t.Context())
		require.Equal(t, want, err == nil, "%v", err)
		require.Empty(t, least)
	}
}

// answer is what the API server's proxy returns.
type answer struct {
	body string
	err  error
}

func (a answer) DoRaw(context.Context) ([]byte, error)         { return []byte(a.body), a.err }
func (a answer) Stream(context.Context) (io.ReadCloser, error) { return nil, errors.New("unused") }

// TestUnregistered asks pods without labels for their health.
func TestUnregistered(t *testing.T) {
	t.Parallel()
	health := func(initialized, sealed, standby bool) answer {
		return answer{body: `{"initialized":` + strconv.FormatBool(initialized) + `,"sealed":` + strconv.FormatBool(sealed) +
			`,"standby":` + strconv.FormatBool(standby) + `}`}
	}
	active, standby := health(true, false, false), health(true, false, true)
	for name, tc := range map[string]struct {
		a, b answer
		want string
	}{
		"healthy":       {active, standby, ""},
		"two active":    {active, active, "2 active pods"},
		"none active":   {standby, standby, "0 active pods"},
		"sealed":        {active, health(true, true, true), "pod b is sealed"},
		"uninitialised": {health(false, true, true), standby, "pod a is not initialised"},
		"no answer": {
			active,
			answer{err: errors.New("connection refused")},
			"pod b does not answer sys/health (Running): connection refused",
		},
		"no JSON": {answer{body: "<html>"}, standby, "pod a does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pods := []*corev1.Pod{baoPod("a", "10.0.0.1", true), baoPod("b", "10.0.0.2", false)}
			for _, pod := range pods {
				pod.Labels = podLabels
			}
			env, client := environment(t, pods[0], pods[1], &appsv1.Deployment{
				ObjectMeta: meta("openbao", nil),
				Spec: appsv1.DeploymentSpec{
					Replicas: new(int32(2)),
					Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: podLabels}},
				},
			})
			env.Spec.Dialect.Unregistered = true
			client.AddProxyReactor("pods", func(action kubetesting.Action) (bool, rest.ResponseWrapper, error) {
				get := action.(kubetesting.ProxyGetAction)
				require.Equal(t, "8200", get.GetPort())
				require.Equal(t, "/v1/sys/health", get.GetPath())
				if get.GetName() == "a" {
					return true, tc.a, nil
				}
				return true, tc.b, nil
			})
			found, err := env.Active(t.Context())
			if tc.want != "" {
				require.ErrorContains(t, err, tc.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "a", found.Name)
		})
	}
}

// TestReplaceOutdated plays the StatefulSet's controller, and expects standbys to go first and new
// pods to stay.
func TestReplaceOutdated(t *testing.T) {
	t.Parallel()
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "openbao", Namespace: "steamer-cn", UID: "set", Generation: 2},
		Spec: appsv1.StatefulSetSpec{
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: podLabels}},
		},
		Status: appsv1.StatefulSetStatus{UpdateRevision: "new", ObservedGeneration: 2},
	}
	pod := func(name, revision string, active bool) *corev1.Pod {
		p := baoPod(name, "10.0.0.1", active)
		p.UID = types.UID(name + revision)
		p.Labels[appsv1.ControllerRevisionHashLabelKey] = revision
		p.OwnerReferences = []metav1.OwnerReference{{UID: "set", Controller: new(true)}}
		return p
	}
	for name, tc := range map[string]struct {
		strategy appsv1.StatefulSetUpdateStrategyType
		want     string
	}{
		"on delete": {appsv1.OnDeleteStatefulSetStrategyType, "openbao-1 openbao-0"},
		"rolling":   {appsv1.RollingUpdateStatefulSetStrategyType, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := set.DeepCopy()
			own.Spec.UpdateStrategy.Type = tc.strategy
			stranger := pod("stranger", "old", false)
			stranger.OwnerReferences = nil
			env, client := environment(t, own, pod("openbao-0", "old", true), pod("openbao-1", "old", false),
				pod("openbao-2", "new", false), stranger)
			var deleted []string
			client.PrependReactor("delete", "pods", func(action kubetesting.Action) (bool, runtime.Object, error) {
				name := action.(kubetesting.DeleteAction).GetName()
				deleted = append(deleted, name)
				return true, nil, client.Tracker().Update(action.GetResource(), pod(name, "new", false), "steamer-cn")
			})
			require.NoError(t, env.replaceOutdated(t.Context()))
			require.Equal(t, tc.want, strings.Join(deleted, " "))
		})
	}
}

// TestExposeActive copies what the chart's Service selects, and refuses one that selects nothing.
func TestExposeActive(t *testing.T) {
	t.Parallel()
	service := func(port int32, selector map[string]string) *corev1.Service {
		return &corev1.Service{ObjectMeta: meta("openbao-active", nil), Spec: corev1.ServiceSpec{
			Selector: selector, Ports: []corev1.ServicePort{{Name: "metrics", Port: 9}, {Name: "api", Port: port}},
		}}
	}
	chosen := map[string]string{"openbao-active": "true"}
	for name, tc := range map[string]struct {
		service *corev1.Service
		want    string
	}{
		"fits":        {service(8200, chosen), ""},
		"no selector": {service(8200, nil), "selects no pods"},
		"no port":     {service(80, chosen), "no port 8200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, client := environment(t, tc.service)
			err := env.exposeActive(t.Context())
			if tc.want != "" {
				require.ErrorContains(t, err, tc.want)
				return
			}
			require.NoError(t, err)
			own, err := client.CoreV1().Services("steamer-cn").Get(t.Context(), ownService, metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, chosen, own.Spec.Selector)
			require.Equal(t, int32(30820), own.Spec.Ports[0].NodePort)
			require.Equal(t, int32(8200), own.Spec.Ports[0].Port)
			require.Equal(t, "test", own.Labels[OwnerLabel])
		})
	}
}

// TestExtraSecrets: as many random bytes as the dialect says, never the same twice.
func TestExtraSecrets(t *testing.T) {
	t.Parallel()
	made := map[string]bool{}
	for range 2 {
		env, client := environment(t)
		env.Spec.Dialect.Secrets = []ExtraSecret{{Name: "unseal", Key: "key", Bytes: 32}}
		require.NoError(t, env.createExtraSecrets(t.Context()))
		secret, err := client.CoreV1().Secrets("steamer-cn").Get(t.Context(), "unseal", metav1.GetOptions{})
		require.NoError(t, err)
		require.Len(t, secret.Data["key"], 32)
		made[string(secret.Data["key"])] = true
	}
	require.Len(t, made, 2)
}
