package cluster

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"gitlab.com/steamer/steamer/harness/exit"
)

// apiServer answers what OpenExisting asks and fails the test on any other request: nothing may be
// touched.
func apiServer(t *testing.T, allowed func(authorizationv1.ResourceAttributes) bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.Method + " " + r.URL.Path {
		case "GET /version":
			_ = json.NewEncoder(w).Encode(version.Info{GitVersion: "v1.36.3"})
		case "GET /apis/apps/v1":
			_ = json.NewEncoder(w).Encode(metav1.APIResourceList{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{
				{Name: "deployments", Kind: "Deployment", Namespaced: true}, {
					Name: "deployments/scale", Kind: "Scale",
					Namespaced: true,
				},
			}})
		case "GET /apis/rbac.authorization.k8s.io/v1":
			_ = json.NewEncoder(w).Encode(metav1.APIResourceList{
				GroupVersion: "rbac.authorization.k8s.io/v1",
				APIResources: []metav1.APIResource{
					{Name: "clusterroles", Kind: "ClusterRole"},
				},
			})
		case "GET /apis/monitoring.coreos.com/v1":
			w.WriteHeader(http.StatusNotFound)
		case "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
			body, err := io.ReadAll(r.Body)
			object, _, decodeErr := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
			review, ok := object.(*authorizationv1.SelfSubjectAccessReview)
			if err != nil || !ok {
				t.Errorf("review: %v %v", err, decodeErr)
				return
			}
			review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
			review.Status.Allowed = allowed(*review.Spec.ResourceAttributes)
			_ = json.NewEncoder(w).Encode(review)
		default:
			t.Errorf("unexpected request %s %s", r.Method, r.URL.Path)
		}
	}))
	t.Cleanup(server.Close)
	config := api.NewConfig()
	config.Clusters["c"] = &api.Cluster{Server: server.URL}
	config.Contexts["good"] = &api.Context{Cluster: "c"}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, path))
	return path
}

func TestOpenExisting(t *testing.T) {
	t.Parallel()
	everything := func(authorizationv1.ResourceAttributes) bool { return true }
	kubeconfig := apiServer(t, everything)
	needs := []Need{
		{Verbs: "get create", Resource: "namespaces", For: "the run"},
		{Verbs: "get create", APIVersion: "apps/v1", Kind: "Deployment", Namespace: "n", For: "Deployment a"},
		{Verbs: "create", APIVersion: "apps/v1", Kind: "Deployment", Namespace: "n", For: "Deployment b"},
		{
			Verbs: "create", APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Namespace: "n",
			For: "ClusterRole c",
		},
		{Verbs: "create", Resource: "pods/eviction", Namespace: "n", For: "scenario resilience/drain"},
	}
	c, err := OpenExisting(t.Context(), Existing{Kubeconfig: kubeconfig, Context: "good", Needs: needs})
	require.NoError(t, err)
	require.Equal(t, "v1.36.3", c.Version)
	require.False(t, c.Owned)
	nodes, err := c.NodeNames(t.Context())
	require.NoError(t, err)
	require.Empty(t, nodes)

	_, err = OpenExisting(t.Context(), Existing{Kubeconfig: kubeconfig, Context: "moon"})
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "moon")
	_, err = OpenExisting(t.Context(), Existing{Kubeconfig: "/nowhere"})
	require.Equal(t, exit.Invalid, exit.CodeOf(err))

	_, err = OpenExisting(t.Context(), Existing{Kubeconfig: kubeconfig, Context: "good", Needs: []Need{
		{Verbs: "create", APIVersion: "monitoring.coreos.com/v1", Kind: "PodMonitor", Namespace: "n", For: "PodMonitor m"},
	}})
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "PodMonitor m: the cluster knows no PodMonitor of monitoring.coreos.com/v1")

	for want, refuses := range map[string]func(authorizationv1.ResourceAttributes) bool{
		"create namespaces, for the run": func(r authorizationv1.ResourceAttributes) bool {
			return r.Verb == "create" && r.Resource == "namespaces"
		},
		"create deployments.apps in namespace n, for Deployment a, Deployment b": func(
			r authorizationv1.ResourceAttributes,
		) bool {
			return r.Group == "apps"
		},
		"create clusterroles.rbac.authorization.k8s.io, for ClusterRole c": func(r authorizationv1.ResourceAttributes) bool {
			return r.Resource == "clusterroles" && r.Namespace == ""
		},
		"create pods/eviction in namespace n, for scenario resilience/drain": func(
			r authorizationv1.ResourceAttributes,
		) bool {
			return r.Subresource == "eviction"
		},
	} {
		asked := map[authorizationv1.ResourceAttributes]int{}
		limited := apiServer(t, func(r authorizationv1.ResourceAttributes) bool {
			asked[r]++
			return !refuses(r)
		})
		_, err := OpenExisting(t.Context(), Existing{Kubeconfig: limited, Context: "good", Needs: needs})
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "hint: ")
		require.Len(t, asked, 6, "each right is asked for once")
	}
}
