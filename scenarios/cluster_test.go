package scenarios_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"gitlab.com/steamer/steamer/harness/follow"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/wait"
)

// On a cluster these scenarios run against real pods (make e2e). Here they judge
// made-up API objects, because only those can be wrong in exactly one respect.

const ns = "openbao"

// world is a release as the Kubernetes API shows it, with OpenBao itself real.
type world struct {
	*scenario.Env
	kube *fake.Clientset
}

func newWorld(t *testing.T, base int) *world {
	t.Helper()
	env := seeded(t, base, 2)
	kube := fake.NewClientset(
		&appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: "openbao", Namespace: ns},
			Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "openbao"}},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{
					Labels: map[string]string{"app": "openbao"}, Annotations: map[string]string{"checksum/config": "one"},
				}},
			},
		},
		&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "openbao-config", Namespace: ns},
			Data:       map[string]string{"config.json": `{"cache_size": 2560}`},
		},
		pod("a", true), pod("b", false), endpoints("a"), release(t, "values: none"),
	)
	env.Kube, env.Namespace, env.Release, env.Selector, env.Active = kube, ns, "openbao", "app=openbao", "openbao-active"
	env.Timeouts = scenario.Timeouts{
		Poll: 10 * time.Millisecond, Probe: 20 * time.Millisecond, Labels: 300 * time.Millisecond,
		Failover: time.Second, Ready: time.Second, Upgrade: time.Second,
	}
	return &world{env, kube}
}

func pod(name string, active bool) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: ns, UID: types.UID(name),
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "openbao-1"}},
			Labels: map[string]string{
				"app": "openbao", "openbao-active": fmt.Sprint(active), "openbao-sealed": "false", "openbao-initialized": "true",
			},
		},
		Status: corev1.PodStatus{
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "openbao-server", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			}},
		},
	}
}

func endpoints(pods ...string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
		Name: "openbao-active-1", Namespace: ns, Labels: map[string]string{discoveryv1.LabelServiceName: "openbao-active"},
	}}
	for _, p := range pods {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: p}})
	}
	return s
}

func release(t *testing.T, content string) *corev1.Secret {
	t.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "sh.helm.release.v1.openbao.v1", Namespace: ns},
		Type:       "helm.sh/release.v1",
		Data:       map[string][]byte{"release": []byte(base64.StdEncoding.EncodeToString(zipped.Bytes()))},
	}
}

// put replaces an object or adds it.
func (w *world) put(t *testing.T, objects ...runtime.Object) {
	t.Helper()
	for _, o := range objects {
		switch o := o.(type) {
		case *corev1.Pod:
			_ = w.kube.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), ns, o.Name)
		case *discoveryv1.EndpointSlice:
			_ = w.kube.Tracker().Delete(discoveryv1.SchemeGroupVersion.WithResource("endpointslices"), ns, o.Name)
		case *corev1.Secret:
			_ = w.kube.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("secrets"), ns, o.Name)
		}
		require.NoError(t, w.kube.Tracker().Add(o))
	}
}

func TestOneActive(t *testing.T) {
	notReady := pod("b", false)
	notReady.Status.Conditions[0].Status = corev1.ConditionFalse
	sealed := pod("b", false)
	sealed.Labels["openbao-sealed"] = "true"
	unlabelled := pod("b", false)
	delete(unlabelled.Labels, "openbao-active")
	stranger := pod("test", false)
	stranger.OwnerReferences = nil
	for name, c := range map[string]struct {
		change []runtime.Object
		reason string
	}{
		"healthy":            {nil, ""},
		"chart's test pod":   {[]runtime.Object{stranger}, ""},
		"two active":         {[]runtime.Object{pod("b", true)}, "2 pods are labelled active"},
		"none active":        {[]runtime.Object{pod("a", false)}, "0 pods are labelled active"},
		"standby not ready":  {[]runtime.Object{notReady}, "pod b is not ready"},
		"standby sealed":     {[]runtime.Object{sealed}, "not labelled initialised and unsealed"},
		"no label":           {[]runtime.Object{unlabelled}, "neither active nor standby"},
		"three pods":         {[]runtime.Object{pod("c", false)}, "3 pods, want 2"},
		"wrong selector":     {[]runtime.Object{endpoints("a", "b")}, "want exactly the active pod a"},
		"points at standby":  {[]runtime.Object{endpoints("b")}, "want exactly the active pod a"},
		"service is nothing": {[]runtime.Object{endpoints()}, "want exactly the active pod a"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 30000)
			w.put(t, c.change...)
			judge(t, run(t, w.Env, "resilience/one-active"), c.reason)
		})
	}
}

// installer plays helm: what it does to the world is up to the test.
type installer struct {
	scenario.Installer
	upgrade func(overrides map[string]any) error
}

func (i installer) Upgrade(_ context.Context, r scenario.Release) error { return i.upgrade(r.Values) }

func (i installer) Knows(change string) bool { return change == scenario.ChangeCacheSize }

func (i installer) Change(_ string, with map[string]any) (map[string]any, error) {
	return map[string]any{"config": map[string]any{"cacheSize": with["size"]}}, nil
}

func TestConfigChange(t *testing.T) {
	template := func(t *testing.T, w *world, checksum string) {
		t.Helper()
		d, err := w.kube.AppsV1().Deployments(ns).Get(t.Context(), "openbao", metav1.GetOptions{})
		require.NoError(t, err)
		d = d.DeepCopy()
		d.Spec.Template.Annotations["checksum/config"] = checksum
		_, err = w.kube.AppsV1().Deployments(ns).Update(t.Context(), d, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	roll := func(t *testing.T, w *world, checksum string) {
		t.Helper()
		template(t, w, checksum)
		for _, old := range []string{"a", "b"} {
			require.NoError(t, w.kube.CoreV1().Pods(ns).Delete(t.Context(), old, metav1.DeleteOptions{}))
		}
		w.put(t, pod("c", true), pod("d", false), endpoints("c"))
	}
	config := func(t *testing.T, w *world, overrides map[string]any) {
		t.Helper()
		size := overrides["config"].(map[string]any)["cacheSize"]
		_, err := w.kube.CoreV1().ConfigMaps(ns).Update(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "openbao-config", Namespace: ns},
			Data:       map[string]string{"config.json": fmt.Sprintf(`{"cache_size": %d}`, size)},
		}, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		upgrade func(t *testing.T, w *world, overrides map[string]any) error
		reason  string
	}{
		"done right": {func(t *testing.T, w *world, o map[string]any) error {
			config(t, w, o)
			roll(t, w, "two")
			return nil
		}, ""},
		"helm fails": {
			func(*testing.T, *world, map[string]any) error { return errors.New("no such chart") },
			"no such chart",
		},
		"pods stay": {func(t *testing.T, w *world, o map[string]any) error {
			config(t, w, o)
			template(t, w, "two")
			return nil
		}, "from before the change still exists"},
		"checksum stays": {func(t *testing.T, w *world, o map[string]any) error {
			config(t, w, o)
			roll(t, w, "one")
			return nil
		}, "Should not be: \"one\""},
		"change is ignored": {
			func(t *testing.T, w *world, _ map[string]any) error { roll(t, w, "two"); return nil },
			"cache_size",
		},
		"data is lost": {func(t *testing.T, w *world, o map[string]any) error {
			config(t, w, o)
			roll(t, w, "two")
			w.Tenants[1].Secrets[2].Version = 2 // as if the store held an older value
			return nil
		}, "SECRET_3"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 30000)
			w.Installer = installer{upgrade: func(o map[string]any) error { return c.upgrade(t, w, o) }}
			judge(t, run(t, w.Env, "lifecycle/config-change-keeps-data"), c.reason)
		})
	}
}

func TestNoSecretLeaks(t *testing.T) {
	for name, c := range map[string]struct {
		plant  func(t *testing.T, w *world, value string)
		reason string
	}{
		"clean": {func(*testing.T, *world, string) {}, ""},
		"ConfigMap": {func(t *testing.T, w *world, v string) {
			w.put(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: ns}, Data: map[string]string{"k": v}})
		}, "ConfigMap openbao/x: value of SECRET_1"},
		"event": {func(t *testing.T, w *world, v string) {
			w.put(t, &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: ns}, Message: "got " + v})
		}, "events of openbao: value of SECRET_1"},
		"Helm release": {func(t *testing.T, w *world, v string) { w.put(t, release(t, "chart file: "+v)) }, "Helm release"},
		"base64 in Helm release": {func(t *testing.T, w *world, v string) {
			w.put(t, release(t, base64.StdEncoding.EncodeToString([]byte("x: "+v))))
		}, "Helm release"},
		"run directory": {func(t *testing.T, w *world, v string) {
			require.NoError(t, os.WriteFile(filepath.Join(w.Artifacts, "k6.log"), []byte(v), 0o600))
		}, "run directory: k6.log"},
		"no log to read": {func(t *testing.T, w *world, _ string) {
			for _, name := range []string{"a", "b"} {
				require.NoError(t, w.kube.CoreV1().Pods(ns).Delete(t.Context(), name, metav1.DeleteOptions{}))
			}
		}, "proves nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 30000)
			w.Artifacts = t.TempDir()
			value := w.Tenants[0].Value(w.Seed, w.Tenants[0].Secrets[0])
			c.plant(t, w, value)
			judge(t, run(t, w.Env, "hygiene/no-secret-leaks"), c.reason)
		})
	}
}

// TestLeaksOfPodsThatAreGone searches what a pod wrote that was replaced before the search.
func TestLeaksOfPodsThatAreGone(t *testing.T) {
	w := newWorld(t, 30000)
	value := w.Tenants[0].Value(w.Seed, w.Tenants[0].Secrets[0])
	leak := []byte("read " + value)
	w.kube.PrependReactor("get", "*", func(action ktesting.Action) (bool, runtime.Object, error) {
		return action.GetSubresource() == "log" && leak != nil, &runtime.Unknown{Raw: leak}, nil
	})
	logs := follow.Start(t.Context(), w.kube, ns)
	defer logs.Stop()
	_, err := wait.Until(t.Context(), wait.For{What: "the log is kept", Interval: time.Millisecond, Deadline: time.Minute},
		func(context.Context) error {
			kept := 0
			_, err := logs.Each(func(_ string, log io.Reader) error {
				text, err := io.ReadAll(log)
				if strings.Contains(string(text), value) {
					kept++
				}
				return err
			})
			if kept < 2 {
				err = errors.Join(err, fmt.Errorf("%d logs", kept))
			}
			return err
		})
	require.NoError(t, err)
	logs.Stop()
	leak = nil // the pods that are there now write nothing wrong
	w.Logs = logs
	judge(t, run(t, w.Env, "hygiene/no-secret-leaks"), "log of openbao/a/openbao-server (restart 0): value of SECRET_1")
	w.Logs = gap{}
	r := run(t, w.Env, "hygiene/no-secret-leaks")
	require.Equal(t, result.Skipped, r.Status, "what was not searched is not clean")
	require.Contains(t, r.Reason, "1 gaps in 0 followed logs, the first: no right")
}

// gap is logs that could not be kept.
type gap struct{}

func (gap) Each(func(string, io.Reader) error) ([]string, error) { return []string{"no right"}, nil }

func (gap) Forget() {}

// judge expects a pass, or a failure for a reason.
func judge(t *testing.T, r result.Scenario, reason string) {
	t.Helper()
	if reason == "" {
		require.Equal(t, result.Passed, r.Status, r.Reason)
		return
	}
	require.Equal(t, result.Failed, r.Status, "the defect went unnoticed")
	require.Contains(t, fmt.Sprint(r.Reason, r.Log), reason)
	require.NotContains(t, fmt.Sprint(r), "steamer-v1-")
}
