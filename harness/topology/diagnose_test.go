package topology

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/secret"
)

// canaries are planted in what an API server tells of a failed installation.
type canaries struct {
	secret, stringy, nested, variable string
	refused                           bool // the Secrets may not be read
}

func planted() canaries {
	return canaries{
		secret: "cAnary/of+Secret=1", stringy: "cAnary2of&Other<Secret", nested: "cAnary3ofUrl",
		variable: "cAnary4ofVariable",
	}
}

// server answers what Diagnose asks about one pod whose log is longer than what is kept and
// repeats every canary.
func (c canaries) server(t *testing.T) kubernetes.Interface {
	t.Helper()
	end := "the last line says why\n"
	for _, canary := range []string{c.secret, c.stringy, c.nested, c.variable} {
		end += "plain " + canary + " base64 " + base64.StdEncoding.EncodeToString([]byte("x"+canary)) + " url " +
			url.QueryEscape(canary) + "\n"
	}
	log := "the first line\n" + strings.Repeat(strings.Repeat("x", 99)+"\n", logLimit/100) + end
	answer := func(w http.ResponseWriter, object any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(object)
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/steamer-cn/"); {
		case !strings.HasPrefix(r.URL.Path, "/api/v1/namespaces/steamer-cn/"): // the database's namespace is empty
			answer(w, corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}})
		case path == "secrets" && c.refused:
			w.WriteHeader(http.StatusForbidden)
		case path == "secrets":
			answer(w, corev1.SecretList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}, Items: []corev1.Secret{
				{ObjectMeta: metav1.ObjectMeta{Name: "one"}, Data: map[string][]byte{
					"value":    []byte(c.secret + "\n"),
					"password": []byte(c.stringy),
				}},
				{ObjectMeta: metav1.ObjectMeta{Name: "two"}, Data: map[string][]byte{
					"config.json": []byte(`{"storage": {"url": "postgres://openbao:` + c.nested + `@db/openbao"}}`),
					"username":    []byte("openbao"),
				}},
			}})
		case path == "events":
			answer(w, corev1.EventList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "EventList"}, Items: []corev1.Event{
				{ObjectMeta: metav1.ObjectMeta{Name: "e"}, Message: "failed with " + c.secret},
			}})
		case path == "pods":
			answer(w, corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{{
				ObjectMeta: metav1.ObjectMeta{Name: "openbao-0", Namespace: "steamer-cn"},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "openbao", Env: []corev1.EnvVar{
						{Name: "BAO_TOKEN", Value: c.variable},
						{Name: "OTHER", Value: "of " + c.stringy},
					},
				}}},
			}}})
		case path == "pods/openbao-0/log" && r.URL.Query().Get("previous") != "true":
			_, _ = w.Write([]byte(log))
		default:
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(api.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: api.URL})
	require.NoError(t, err)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return client
}

// TestDiagnose: of a log longer than what is kept the end is kept, no canary is in any file in any
// form, and the files are their owner's.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	c := planted()
	e := &Environment{
		Spec: Spec{Topology: CloudNative}, Namespace: "steamer-cn",
		Cluster: &cluster.Cluster{Client: c.server(t)},
	}
	dir := filepath.Join(t.TempDir(), "diagnostics")
	require.NoError(t, e.Diagnose(t.Context(), dir, func(text string) string { return text }))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
		require.NotContains(t, string(data), "anary", file)
		require.NotContains(t, string(data), base64.StdEncoding.EncodeToString([]byte("xcAn"))[2:], file)
		names = append(names, filepath.Base(file))
	}
	require.Equal(t, []string{
		"steamer-cn-db-events.txt", "steamer-cn-events.txt", "steamer-cn-openbao-0-openbao.log",
		"steamer-cn-openbao-0.yaml",
	}, names)
	log, err := os.ReadFile(filepath.Join(dir, "steamer-cn-openbao-0-openbao.log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "the last line says why")
	require.Regexp(t, `^\[\d+ bytes before this are left out\]\n`, string(log))
	require.NotContains(t, string(log), "the first line")
	pod, err := os.ReadFile(filepath.Join(dir, "steamer-cn-openbao-0.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(pod), "BAO_TOKEN", "the rest stays readable")
}

// TestDiagnoseUnknown: where the Secrets cannot be read, nothing is saved that could hold them.
func TestDiagnoseUnknown(t *testing.T) {
	t.Parallel()
	c := planted()
	c.refused = true
	e := &Environment{
		Spec: Spec{Topology: CloudNative}, Namespace: "steamer-cn",
		Cluster: &cluster.Cluster{Client: c.server(t)},
	}
	dir := filepath.Join(t.TempDir(), "diagnostics")
	require.ErrorIs(t, e.Diagnose(t.Context(), dir, func(text string) string { return text }), errUnknown)
	require.NoDirExists(t, dir)
}

// TestLearnRendered: an error of Helm may quote what a chart renders.
func TestLearnRendered(t *testing.T) {
	t.Parallel()
	learnRendered(map[string]string{
		"a.yaml": "kind: Secret\ndata:\n  password: " + base64.StdEncoding.EncodeToString([]byte("cAnary5rendered")) +
			"\nstringData:\n  x: cAnary6rendered\n",
		"b.yaml": "kind: Secret\ndata:\n  value: cAnary7not-encoded!\n---\nkind: Service\nname: cAnary8public\n",
		"c.json": `{"kind": "List", "items": [{"kind": "Secret", "stringData": {"x": "cAnary9rendered"}}]}`,
	})
	said := secret.Redact("illegal base64 cAnary7not-encoded! in cAnary5rendered of cAnary6rendered, cAnary9rendered, " +
		"Service cAnary8public")
	require.NotContains(t, said, "rendered")
	require.NotContains(t, said, "encoded!")
	require.Contains(t, said, "cAnary8public")
}
