package kind

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// resolve resolves the default plan, on a cluster that stays.
var resolve = sync.OnceValues(func() (*plan.Resolved, error) {
	p := plan.Default("../../..")
	p.Cluster.Keep = true
	return p.Resolve(context.Background(), "../../..", chart.Fetcher{})
})

// onFake is a platform whose cluster is a fake that holds the environment's namespaces.
func onFake(t *testing.T, out *bytes.Buffer) *platform.Platform {
	t.Helper()
	resolved, err := resolve()
	require.NoError(t, err)
	own := *resolved
	client := fake.NewClientset()
	for _, name := range topology.Namespaces(topology.CloudNative) {
		_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{topology.OwnerLabel: "run"},
		}}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	return &platform.Platform{
		ID: "run", Provider: &platform.Provider{Plan: &own, Root: "../../.."}, Steps: steps.New(&steps.Text{W: out}),
		Cluster: &cluster.Cluster{Name: "c", HostPort: 1, Version: "v1.36.3", Owned: true, Created: true, Client: client},
		Images: map[string]images.Image{
			images.OpenBao: {Ref: "steamer.local/openbao:1", Digest: "sha256:00"}, images.Node: {Ref: "node:1", Pulled: true},
		},
	}
}

func newTarget(t *testing.T, p *platform.Platform, change func(*Options)) *Target {
	t.Helper()
	o := Options{Spec: p.Spec(topology.CloudNative), Secrets: 2, Dir: t.TempDir()}
	if change != nil {
		change(&o)
	}
	made, err := New(p, o)
	require.NoError(t, err)
	return made
}

// TestNew says what is to be installed before anything is touched.
func TestNew(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := onFake(t, &out)
	made := newTarget(t, p, func(o *Options) { o.Label = "B: " })
	info := made.Info()
	require.Equal(t, topology.CloudNative, info.Name)
	require.Equal(t, "openbao", info.Chart.Name)
	require.Equal(t, map[string]string{"kubernetes": "v1.36.3"}, info.Versions)
	require.Equal(t, "steamer.local/openbao:1@sha256:00", info.Images[images.OpenBao])
	require.Equal(t, "node:1", info.Images[images.Node])
	info.Versions["kubernetes"] = "another"
	require.Equal(t, "v1.36.3", made.Info().Versions["kubernetes"], "nobody changes what it knows")
	made.note("installing")
	require.Equal(t, "    B: installing\n", out.String())

	own := newTarget(t, p, func(o *Options) { o.Spec.Images.OpenBao = "registry.example/openbao:2" })
	require.Equal(t, "registry.example/openbao:2", own.Info().Images[images.OpenBao])

	spec := p.Spec(topology.CloudNative)
	spec.Overrides = map[string]any{"nosuchvalue": map[string]any{"a": 1}}
	_, err := New(p, Options{Spec: spec})
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
}

// TestClose removes what was installed, or leaves it to a cluster that goes with it.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*platform.Platform, *Options)
		stays  bool
	}{
		"a cluster that stays": {func(*platform.Platform, *Options) {}, false},
		"another topology follows": {func(p *platform.Platform, _ *Options) {
			p.Provider.Plan.Cluster.Keep = false
		}, false},
		"the cluster goes": {func(p *platform.Platform, o *Options) {
			p.Provider.Plan.Cluster.Keep, o.Last = false, true
		}, true},
		"an existing cluster": {func(p *platform.Platform, o *Options) {
			p.Provider.Plan.Cluster.Context, p.Cluster.Created, p.Cluster.Owned, o.Last = "theirs", false, false, true
		}, false},
		"somebody else's run": {func(_ *platform.Platform, o *Options) { o.Spec.Run = "another" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := onFake(t, &bytes.Buffer{})
			made := newTarget(t, p, func(o *Options) { tc.change(p, o) })
			require.NoError(t, made.SetDelay(0))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.NoError(t, made.Close(ctx), "it works after a cancellation")
			require.NoError(t, made.Close(ctx), "and twice")
			for _, namespace := range made.Namespaces() {
				_, err := p.Cluster.Client.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
				require.Equal(t, !tc.stays, apierrors.IsNotFound(err), namespace)
			}
		})
	}
}

// TestAddress: a local k6 uses the port of the host, or the proxy that delays answers; pods use
// the Service.
func TestAddress(t *testing.T) {
	t.Parallel()
	p := onFake(t, &bytes.Buffer{})
	made := newTarget(t, p, nil)
	plain, err := made.address(t.Context())
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:1", plain)
	require.NoError(t, made.SetDelay(3*time.Millisecond))
	delayed, err := made.address(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, plain, delayed)
	require.Equal(t, 3*time.Millisecond, made.Info().Delay)
	require.NoError(t, made.Close(t.Context()))

	inside := newTarget(t, p, func(o *Options) { o.InCluster = &plan.InCluster{Parallelism: 1} })
	_, err = inside.address(t.Context())
	require.Equal(t, exit.Environment, exit.CodeOf(err), "there is no Service yet")
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: inside.env.Spec.Dialect.ActiveService, Namespace: inside.env.Namespace},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.0.0.7", Ports: []corev1.ServicePort{{Port: 8200}}},
	}
	services := p.Cluster.Client.CoreV1().Services(inside.env.Namespace)
	service, err = services.Create(t.Context(), service, metav1.CreateOptions{})
	require.NoError(t, err)
	active, err := inside.address(t.Context())
	require.NoError(t, err)
	require.Equal(t, "http://10.0.0.7:8200", active)
	service.Spec.ClusterIP = corev1.ClusterIPNone
	_, err = services.Update(t.Context(), service, metav1.UpdateOptions{})
	require.NoError(t, err)
	active, err = inside.address(t.Context())
	require.NoError(t, err)
	require.Equal(t, "http://"+service.Name+"."+service.Namespace+".svc:8200", active)
}

// TestSuite: what the suite may do beyond Env, and by which version of OpenBao.
func TestSuite(t *testing.T) {
	t.Parallel()
	for version, audit := range map[string]bool{"2.4.0": false, "2.5.0": true, "2.6.2": true, "": false} {
		made := newTarget(t, onFake(t, &bytes.Buffer{}), func(o *Options) { o.Previous = "old.tgz" })
		made.info.Versions["openbao"] = version
		env, done, err := made.Suite(t.Context())
		require.NoError(t, err)
		require.Equal(t, audit, env.Has(scenario.FeatureAuditHTTP), version)
		require.True(t, env.Has(scenario.FeatureInstaller))
		require.False(t, env.Has(scenario.FeatureStack), "nobody plays GitLab's API")
		require.Equal(t, "old.tgz", env.Previous)
		require.Equal(t, made.options.Dir, env.Artifacts)
		captured, err := env.Capture(t.Context(), "access/own-secret")
		require.NoError(t, err)
		require.NotEmpty(t, captured.Files)
		require.DirExists(t, filepath.Join(Diagnostics(made.options.Dir, topology.CloudNative), "access-own-secret"))
		done()
	}
}

// TestCaptureOrder: what explains most comes first.
func TestCaptureOrder(t *testing.T) {
	t.Parallel()
	require.Less(t, diagnosticOrder("events.txt"), diagnosticOrder("pod.log"))
	require.Less(t, diagnosticOrder("pod.log"), diagnosticOrder("pod.yaml"))
}

// TestObservation says how much of the host others used, where that is known.
func TestObservation(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	series := func(component string, cores float64) result.ResourceSeries {
		s := result.ResourceSeries{Component: component, Name: component}
		for i := range 31 {
			s.Samples = append(s.Samples, result.ResourceSample{At: start.Add(time.Duration(i) * time.Second), CPUCores: cores})
		}
		return s
	}
	host := series("host", 3)
	seen := result.Topology{
		Load:      &result.Load{Start: start, MeasuredSeconds: 20, Generator: result.Generator{CPUSeconds: 10}},
		Resources: []result.ResourceSeries{series("openbao", 0.5), series("openbao", 0.25), series("postgresql", 0.25)},
		Host:      &host,
	}
	o := observation(seen)
	require.NotNil(t, o.Others)
	require.InDelta(t, 3-1-seen.Load.Generator.Cores(seen.Load.Measured()), *o.Others, 1e-9)
	require.Nil(t, o.Strangers, "Kubernetes could not be told from them")
	seen.Host = nil
	require.Nil(t, observation(seen).Others)
	seen.Load = nil
	require.Equal(t, target.Observation{Topology: seen}, observation(seen))
}

// TestLimits turns what a plan allows a generator into resources.
func TestLimits(t *testing.T) {
	t.Parallel()
	limits, err := limitsOf(&plan.InCluster{Parallelism: 1, Memory: "1Gi"})
	require.NoError(t, err)
	require.Len(t, limits, 1)
	require.Equal(t, "1Gi", limits.Memory().String())
}

// TestFixture points at the Service, for a generator in the cluster.
func TestFixture(t *testing.T) {
	t.Parallel()
	made := newTarget(t, onFake(t, &bytes.Buffer{}), nil)
	_, err := made.Fixture(t.Context(), load.Profile{}, time.Minute)
	require.ErrorContains(t, err, "Service "+made.env.Spec.Dialect.ActiveService)
}

// TestDiagnose saves what there is.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	made := newTarget(t, onFake(t, &bytes.Buffer{}), nil)
	dir := filepath.Join(t.TempDir(), "diagnostics")
	require.NoError(t, made.Diagnose(t.Context(), dir))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files)
}

// TestDelete waits until pods are gone.
func TestDelete(t *testing.T) {
	t.Parallel()
	p := onFake(t, &bytes.Buffer{})
	made := newTarget(t, p, nil)
	pods := p.Cluster.Client.CoreV1().Pods(made.env.Namespace)
	pod, err := pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "openbao-0", Namespace: made.env.Namespace, UID: "1",
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, made.delete(t.Context(), []corev1.Pod{*pod}))
	_, err = pods.Get(t.Context(), pod.Name, metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err))
}

// TestWorst is the verdict over several topologies.
func TestWorst(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		verdicts []result.Verdict
		want     result.Verdict
	}{
		{[]result.Verdict{result.Pass, result.Pass}, result.Pass},
		{[]result.Verdict{result.Pass}, result.Inconclusive},
		{nil, result.Inconclusive},
		{[]result.Verdict{result.Pass, result.Inconclusive}, result.Inconclusive},
		{[]result.Verdict{result.Inconclusive, result.Fail}, result.Fail},
		{[]result.Verdict{result.Fail}, result.Fail},
	} {
		require.Equal(t, tc.want, worst(tc.verdicts, 2), tc.verdicts)
	}
}
