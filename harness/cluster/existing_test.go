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
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"gitlab.com/steamer/steamer/harness/exit"
)

// apiServer answers what OpenExisting asks and fails the test on any other request: nothing may be touched.
func apiServer(t *testing.T, allowed func(authorizationv1.ResourceAttributes) bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.Method + " " + r.URL.Path {
		case "GET /version":
			_ = json.NewEncoder(w).Encode(version.Info{GitVersion: "v1.36.3"})
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
	c, err := OpenExisting(t.Context(), Existing{Kubeconfig: kubeconfig, Context: "good", Namespaces: []string{"n"}})
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

	for want, refuses := range map[string]func(authorizationv1.ResourceAttributes) bool{
		"create namespaces": func(r authorizationv1.ResourceAttributes) bool {
			return r.Verb == "create" && r.Resource == "namespaces"
		},
		"create secrets in namespace n":           func(r authorizationv1.ResourceAttributes) bool { return r.Resource == "secrets" },
		"create deployments.apps in namespace n":  func(r authorizationv1.ResourceAttributes) bool { return r.Group == "apps" },
		"create pods/portforward in namespace n":  func(r authorizationv1.ResourceAttributes) bool { return r.Subresource == "portforward" },
		"get pods/proxy in namespace n":           func(r authorizationv1.ResourceAttributes) bool { return r.Subresource == "proxy" },
		"create pods/attach in namespace l":       func(r authorizationv1.ResourceAttributes) bool { return r.Subresource == "attach" },
		"list endpointslices.discovery.k8s.io in": func(r authorizationv1.ResourceAttributes) bool { return r.Resource == "endpointslices" },
	} {
		limited := apiServer(t, func(r authorizationv1.ResourceAttributes) bool { return !refuses(r) })
		_, err := OpenExisting(t.Context(), Existing{Kubeconfig: limited, Context: "good", Namespaces: []string{"n"}, Loads: []string{"l"}})
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "mend: ")
	}
}
