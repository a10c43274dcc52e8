package topology

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// vaultPod is a ready pod of HashiCorp's chart with the labels of a service registration.
func vaultPod(name, registration string, labels map[string]string) *corev1.Pod {
	pod := baoPod(name, "10.0.0.9", false)
	pod.Labels = map[string]string{
		"app.kubernetes.io/name": "vault", "app.kubernetes.io/instance": "vault", "component": "server",
	}
	for label, value := range labels {
		pod.Labels[registration+"-"+label] = value
	}
	return pod
}

// vaultOn is an environment of the dialect vault with three replicas and these pods.
func vaultOn(t *testing.T, pods ...*corev1.Pod) *Environment {
	t.Helper()
	dialect, err := DialectNamed("vault")
	require.NoError(t, err)
	objects := []runtime.Object{&appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "vault", Namespace: "steamer-cn"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: new(int32(3)),
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: vaultPod("x", "vault", nil).Labels}},
		},
	}}
	for _, pod := range pods {
		objects = append(objects, pod)
	}
	return &Environment{
		Spec: Spec{Topology: CloudNative, Dialect: dialect}, Namespace: "steamer-cn",
		Cluster: &cluster.Cluster{Client: fake.NewClientset(objects...)},
	}
}

// TestVaultReadiness: Vault's own labels are read, and a pod that is sealed or never joined is
// what the reason names, with what kept it sealed.
func TestVaultReadiness(t *testing.T) {
	t.Parallel()
	up := map[string]string{"active": "false", "sealed": "false", "initialized": "true"}
	active := map[string]string{"active": "true", "sealed": "false", "initialized": "true"}
	for name, tc := range map[string]struct {
		third map[string]string
		last  error
		want  string
	}{
		"healthy": {up, nil, ""},
		"sealed": {
			map[string]string{"sealed": "true", "initialized": "true"},
			nil,
			"pod vault-2 is sealed (Running): Steamer unseals it",
		},
		"refused key": {
			map[string]string{"sealed": "true", "initialized": "true"},
			errors.New("status 400: no"),
			"status 400: no",
		},
		"lost peer":  {map[string]string{"sealed": "true", "initialized": "false"}, nil, "pod vault-2 is"},
		"two active": {active, nil, "2 active pods"},
		"no labels":  {nil, nil, "no labels from Vault's service registration"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := vaultOn(t, vaultPod("vault-0", "vault", active), vaultPod("vault-1", "vault", up),
				vaultPod("vault-2", "vault", tc.third))
			env.unsealer = &unsealer{last: map[string]attempt{"vault-2": {err: tc.last}}}
			pod, err := env.Active(t.Context())
			if tc.want == "" {
				require.NoError(t, err)
				require.Equal(t, "vault-0", pod.Name)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestVaultPeers: a raft cluster that lost a peer is not ready, although its pods look well.
func TestVaultPeers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ servers, want string }{
		"three voters": {`{"voter":true},{"voter":true},{"voter":true}`, ""},
		"lost peer":    {`{"voter":true},{"voter":true}`, "2 of 3 pods are voters of the raft cluster"},
		"no voter yet": {`{"voter":true},{"voter":true},{"voter":false}`, "2 of 3 pods are voters of the raft cluster"},
		"no raft":      {``, "no servers in the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v1/auth/gitlab_rails_jwt/login" {
					_, _ = w.Write([]byte(`{"auth":{"client_token":"t","token_type":"batch"}}`))
					return
				}
				_, _ = fmt.Fprintf(w, `{"data":{"config":{"servers":[%s]}}}`, tc.servers)
			}))
			t.Cleanup(server.Close)
			env := vaultOn(t)
			var err error
			env.Issuer, err = gitlab.NewIssuer("http://gitlab.example", gitlab.RS256)
			require.NoError(t, err)
			client := openbao.KindVault.Client(server.URL, nil)
			t.Cleanup(client.Close)
			err = env.checkPeers(t.Context(), client)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestMirror: where OpenBao serves in Vault's place, its pods get the labels that Vault's have,
// and only there.
func TestMirror(t *testing.T) {
	t.Parallel()
	for _, mirrors := range []bool{true, false} {
		pod := vaultPod("vault-0", "openbao", map[string]string{"active": "true", "sealed": "false"})
		env := vaultOn(t, pod)
		env.mirrors = mirrors
		require.NoError(t, env.mirror(t.Context(), pod))
		got, err := env.Cluster.Client.CoreV1().Pods("steamer-cn").Get(t.Context(), "vault-0", metav1.GetOptions{})
		require.NoError(t, err)
		_, has := got.Labels["vault-active"]
		require.Equal(t, mirrors, has)
		require.Equal(t, mirrors, env.Serves() == openbao.KindOpenBao)
	}
}

// TestVaultHasNoHybridRaft: raft keeps the data in the pods, so that no database is outside.
func TestVaultHasNoHybridRaft(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"vault", "vault-postgresql"} {
		d, err := DialectNamed(name)
		require.NoError(t, err)
		require.NoError(t, d.notApplicable(CloudNative))
		err = d.notApplicable(CloudNativeHybrid)
		if !d.Raft {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
		require.ErrorContains(t, err, "vault-postgresql")
	}
}
