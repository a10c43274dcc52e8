package observe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// sources are a Server and a Database on a real OpenBao and its real PostgreSQL. OpenBao's
// database there is "postgres", so that Steamer's session has to be in another.
func sources(t testing.TB, s *localbao.Server) (Server, Database) {
	t.Helper()
	program, arguments := loadtest.PSQL(t, s, "template1")
	session := func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
		// The engine's way to run a client runs any program.
		return (&engine.Engine{Binary: program}).Converse(ctx, stdin, stdout, arguments...)
	}
	read := func(ctx context.Context, _, _ string) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Address+"/v1/sys/metrics?format=prometheus", nil)
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		return io.ReadAll(response.Body)
	}
	return Server{Selector: "app.kubernetes.io/name=openbao", Read: read}, Database{Name: "postgres", Session: session}
}

func runningPod() *corev1.Pod {
	p := pod("a", "true", 0)
	p.Status.Phase = corev1.PodRunning
	return &p
}

// seeded is a real OpenBao with one tenant and a fetch of its secret.
func seeded(t testing.TB) (*localbao.Server, func(context.Context) error) {
	t.Helper()
	site := loadtest.Start(t, localbao.Options{Statements: true}, "observe", 1, 1)
	tenant := site.Tenants()[0]
	jwt, err := site.Issuer.Pipeline(site.Audience, tenant, gitlab.DefaultJob())
	require.NoError(t, err)
	fetch := gitlab.FetchOf(tenant, tenant.Secrets[0].Name, jwt)
	return site.Server, func(ctx context.Context) error {
		_, err := fetch.Do(ctx, site.Client)
		return err
	}
}

// answers counts the lines that psql prints.
type answers struct{ atomic.Int64 }

func (a *answers) Write(p []byte) (int, error) {
	a.Add(int64(bytes.Count(p, []byte{'\n'})))
	return len(p), nil
}

// TestSources observes a real OpenBao and a real PostgreSQL while secrets are fetched, and finds
// every fetch in both.
func TestSources(t *testing.T) {
	s, fetch := seeded(t)
	server, database := sources(t, s)
	var told answers
	session := database.Session
	database.Session = func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
		return session(ctx, stdin, io.MultiWriter(stdout, &told))
	}
	began := time.Now()
	o := Start(t.Context(), &engine.Engine{}, PodSource{
		Client:     fake.NewClientset(runningPod()),
		Namespaces: []string{"n"},
	}, nil, nil, server, database, Warnings{})
	await := func(what string, ready func() bool) {
		_, err := wait.Until(t.Context(), wait.For{What: what, Deadline: 20 * time.Second}, func(context.Context) error {
			if !ready() {
				return io.ErrNoProgress
			}
			return nil
		})
		require.NoError(t, err)
	}
	samples := func() int {
		o.server.mu.Lock()
		defer o.server.mu.Unlock()
		if p := o.server.of["n/a"]; p != nil {
			return len(p.out.Samples)
		}
		return 0
	}
	const preface = 2 // answers of PostgreSQL before its first sample
	await("a first sample of each", func() bool { return samples() > 0 && told.Load() > preface })
	// PostgreSQL's sessions report their transactions once a second while they are busy, and only
	// after ten when they are not.
	fetches := 0.0
	for before := samples(); samples() < before+4; fetches++ {
		require.NoError(t, fetch(t.Context()))
	}
	before, toldBefore := samples(), told.Load()
	await("samples that hold the last fetch", func() bool { return samples() >= before+2 && told.Load() >= toldBefore+2 })
	_, _, errs := o.Stop()
	require.Empty(t, errs)
	var top result.Topology
	o.Fill(&top)

	require.Len(t, top.Server, 1)
	requests := 0.0
	for i, sample := range top.Server[0].Samples {
		require.True(t, sample.Active)
		require.True(t, sample.Unsealed)
		require.Greater(t, sample.HeapMiB, 1.0)
		require.Greater(t, sample.Goroutines, int64(10))
		if i > 0 {
			requests += sample.Requests * sample.At.Sub(top.Server[0].Samples[i-1].At).Seconds()
			if sample.Requests > 5 {
				require.Greater(t, sample.HandleMs, 0.05)
				require.Less(t, sample.HandleMs, 10_000.0)
			}
		}
	}
	require.InDelta(t, fetches, requests, 3, "OpenBao's count of requests")

	require.NotNil(t, top.Database)
	whole := result.Window{From: began, To: time.Now()}
	statements, _ := top.Database.Total(whole, func(s result.DatabaseSample) float64 { return s.Statements })
	transactions, _ := top.Database.Total(whole, func(s result.DatabaseSample) float64 { return s.Commits + s.Rollbacks })
	require.Greater(t, statements, 2*fetches, "a fetch takes several statements")
	require.Less(t, statements, 30*fetches)
	require.Greater(t, transactions, fetches/2, "those of the last second may be missing")
	require.Positive(t, top.Database.Samples[0].Connections)
	require.NotEmpty(t, top.Database.Statements)
	reads := int64(0)
	for _, st := range top.Database.Statements {
		require.NotContains(t, st.Query, "pg_stat", "what Steamer asks is left out")
		if strings.HasPrefix(st.Query, "SELECT") && strings.Contains(st.Query, "openbao_kv_store") {
			reads += st.Calls
			require.Contains(t, st.Query, "$1", "values are not part of it")
		}
	}
	require.GreaterOrEqual(t, reads, int64(2*fetches), "a fetch reads metadata and version")
	require.Less(t, top.Observer.Cores(), 0.5, "the bound that matters is the gate's, of a process that does nothing else")
	t.Logf("per fetch: %.1f statements, %.1f transactions; observer: %.4f cores", statements/fetches, transactions/fetches,
		top.Observer.Cores())
}

// TestDatabaseGaps: a PostgreSQL without the module, and one that is not there, are gaps with
// their reason and no hang. TestActiveHeap reads a real OpenBao's metrics; what a standby says is
// the same page with another value.
func TestActiveHeap(t *testing.T) {
	s, err := localbao.Start(t.Context(), localbao.Options{})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	server, _ := sources(t, s)
	heap := 0.0
	_, err = wait.Until(t.Context(), wait.For{
		What: "OpenBao says that it is active", Interval: 200 * time.Millisecond,
		Deadline: 30 * time.Second,
	}, func(ctx context.Context) error {
		heap, err = ActiveHeap(ctx, server.Read, "openbao", []string{"openbao-0"})
		return err
	})
	require.NoError(t, err)
	require.Greater(t, heap, 5.0)
	require.Less(t, heap, 500.0)
	both := func(ctx context.Context, namespace, pod string) ([]byte, error) {
		if pod == "gone" {
			return nil, errors.New("no such pod")
		}
		page, err := server.Read(ctx, namespace, pod)
		if pod == "standby" {
			page = regexp.MustCompile(`(?m)^(\S*core_active\S*) 1$`).ReplaceAll(page, []byte("$1 0"))
		}
		return page, err
	}
	found, err := ActiveHeap(t.Context(), both, "openbao", []string{"gone", "standby", "active"})
	require.NoError(t, err)
	require.InDelta(t, heap, found, 100)
	_, err = ActiveHeap(t.Context(), both, "openbao", []string{"gone", "standby"})
	require.ErrorContains(t, err, "pod openbao/gone: no such pod")
	require.ErrorContains(t, err, "no pod says that it is the active one")
}

func TestDatabaseGaps(t *testing.T) {
	t.Parallel()
	bare, err := localbao.Start(t.Context(), localbao.Options{})
	require.NoError(t, err)
	t.Cleanup(bare.Stop)
	_, without := sources(t, bare)
	absent := Database{Name: "x", Session: func(context.Context, io.Reader, io.Writer) error { return io.ErrClosedPipe }}
	deaf := Database{Name: "x", Session: func(ctx context.Context, _ io.Reader, _ io.Writer) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	for name, tc := range map[string]struct {
		from Database
		want string
	}{
		"module not loaded": {without, "shared_preload_libraries"}, "no session": {absent, "closed pipe"},
		"no answer": {deaf, "cancel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Start(t.Context(), &engine.Engine{}, PodSource{Client: fake.NewClientset(), Namespaces: []string{"n"}}, nil,
				nil, tc.from)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // time to try
			defer cancel()
			<-ctx.Done()
			_, _, errs := o.Stop()
			require.Len(t, errs, 1)
			require.ErrorContains(t, errs[0], "PostgreSQL's statistics")
			require.ErrorContains(t, errs[0], tc.want)
			var top result.Topology
			o.Fill(&top)
			require.Nil(t, top.Database)
		})
	}
}

// TestWarnings takes made-up warning events of the observed time, whoever recorded them.
func TestWarnings(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	event := func(name string, change func(*corev1.Event)) *corev1.Event {
		e := &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "n", CreationTimestamp: metav1.NewTime(now)}, Type: "Warning",
			Reason:  "BackOff",
			Message: "it " + strings.Repeat("fails ", 100), InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: name},
		}
		change(e)
		return e
	}
	client := fake.NewClientset(
		event("old", func(e *corev1.Event) { e.LastTimestamp = metav1.NewTime(now.Add(-time.Minute)) }),
		event("legacy", func(e *corev1.Event) { e.LastTimestamp, e.Count = metav1.NewTime(now.Add(time.Second)), 3 }),
		event("new", func(e *corev1.Event) { e.EventTime = metav1.NewMicroTime(now.Add(2 * time.Second)) }),
		event("series", func(e *corev1.Event) {
			e.EventTime = metav1.NewMicroTime(now.Add(-time.Hour))
			e.Series = &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(now.Add(3 * time.Second))}
		}),
		event("normal", func(e *corev1.Event) { e.Type = "Normal" }),
		event("bare", func(*corev1.Event) {}),
	)
	o := Start(t.Context(), &engine.Engine{}, PodSource{Client: client, Namespaces: []string{"n"}}, nil, nil, Warnings{})
	_, events, errs := o.Stop()
	require.Empty(t, errs)
	var names []string
	for _, e := range events {
		require.Equal(t, "kubernetes", e.Kind)
		require.LessOrEqual(t, len(e.Detail), maxDetail+20)
		names = append(names, strings.Fields(e.Detail)[1])
	}
	require.ElementsMatch(t, []string{"legacy:", "new:", "series:", "bare:"}, names)
}

// BenchmarkRound is what one second of observing costs this process: a page of real metrics of
// each of two pods, and one answer of a real PostgreSQL. It has to stay below 20 ms, 2 % of a
// core, the listing of pods included.
func BenchmarkRound(b *testing.B) {
	s, fetch := seeded(b)
	server, database := sources(b, s)
	require.NoError(b, fetch(b.Context()))
	page, err := server.Read(b.Context(), "n", "a")
	require.NoError(b, err)
	b.Logf("a page has %d bytes", len(page))
	w := &databaseWatcher{from: database, stop: make(chan struct{}), done: make(chan struct{})}
	series := &serverSeries{of: map[string]*podMetrics{}}
	before := proc.Own()
	for b.Loop() {
		for _, name := range []string{"a", "b"} {
			series.read(b.Context(), Server{Read: func(context.Context, string, string) ([]byte, error) { return page, nil }},
				podRef{"n", name, nil})
		}
		w.fold(time.Now(), tally{Calls: 1, Commits: 1})
	}
	require.Len(b, series.of, 2)
	b.ReportMetric(1000*(proc.Own()-before)/float64(b.N), "cpu-ms/round")
}
