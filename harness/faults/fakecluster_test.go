package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/steamer/steamer/harness/gitlab"
)

// fakeCluster is a chart of two pods that does at once what a real one does later.
type fakeCluster struct {
	mu       sync.Mutex
	list     []*fakePod
	made     int
	terms    int
	leads    types.UID
	readOnly bool
	refused  int // evictions to refuse
	calls    []string
	fails    map[string]error // by call
	log      string
}

type fakePod struct {
	corev1.Pod
	server          *httptest.Server
	sealed, stopped bool
	since           time.Time // when it became active; zero for a standby
}

func newFakeCluster(t *testing.T) *fakeCluster {
	f := &fakeCluster{fails: map[string]error{}}
	t.Cleanup(func() {
		for _, pod := range f.list {
			pod.server.Close()
		}
	})
	f.add()
	f.add()
	f.elect("")
	return f
}

func (f *fakeCluster) add() {
	f.made++
	pod := &fakePod{Pod: corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("openbao-%d", f.made), UID: types.UID(fmt.Sprint(f.made))},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &[]int64{30}[0],
			Containers: []corev1.Container{{
				Name: "openbao", LivenessProbe: &corev1.Probe{InitialDelaySeconds: 5, PeriodSeconds: 5, FailureThreshold: 12},
			}},
		},
		Status: corev1.PodStatus{
			PodIP:      fmt.Sprintf("10.0.0.%d", f.made),
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "openbao", State: corev1.ContainerState{
				Running: &corev1.ContainerStateRunning{},
			}}},
		},
	}}
	pod.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch {
		case r.URL.Path == "/v1/sys/step-down":
			f.elect(pod.UID)
			return
		case r.URL.Path == "/v1/sys/seal":
			pod.sealed = true
			f.elect(pod.UID)
			return
		case r.URL.Path == "/v1/sys/leader":
			_, _ = fmt.Fprintf(w, `{"is_self":%t,"active_time":%q}`, !pod.since.IsZero(), pod.since.Format(time.RFC3339Nano))
			return
		case pod.sealed:
			w.WriteHeader(http.StatusServiceUnavailable)
		case pod.since.IsZero():
			w.WriteHeader(http.StatusTooManyRequests)
		}
		_, _ = fmt.Fprintf(w, `{"initialized":true,"sealed":%t,"standby":%t,"version":"2.4.0"}`, pod.sealed,
			pod.UID != f.leads)
	}))
	f.list = append(f.list, pod)
}

// elect has another pod than one lead, in a new term.
func (f *fakeCluster) elect(not types.UID) {
	f.terms++
	var leads *fakePod
	for _, pod := range f.list {
		pod.since = time.Time{}
		if pod.UID != not && !pod.sealed {
			leads = pod
		}
	}
	leads.since, f.leads = time.Now(), leads.UID
}

// replace deletes a pod, and makes another.
func (f *fakeCluster) replace(uid types.UID) {
	i := slices.IndexFunc(f.list, func(p *fakePod) bool { return p.UID == uid })
	go f.list[i].server.Close()
	f.list = slices.Delete(f.list, i, i+1)
	f.add()
	if f.leads == uid {
		f.elect(uid)
	}
}

func (f *fakeCluster) call(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	call := fmt.Sprintf(format, args...)
	f.calls = append(f.calls, call)
	return f.fails[call]
}

func (f *fakeCluster) Issuer() *gitlab.Issuer                      { return nil }
func (f *fakeCluster) Audience() string                            { return "" }
func (f *fakeCluster) Publish(context.Context, []byte) error       { return nil }
func (f *fakeCluster) Service() string                             { return "" }
func (f *fakeCluster) CA() []byte                                  { return nil }
func (f *fakeCluster) Container() string                           { return "openbao" }
func (f *fakeCluster) Log(context.Context, string) (string, error) { return f.log, nil }

func (f *fakeCluster) Pods(context.Context) (list []corev1.Pod, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, pod := range f.list {
		list = append(list, *pod.DeepCopy())
	}
	return list, nil
}

func (f *fakeCluster) Active(ctx context.Context) (*corev1.Pod, error) {
	list, _ := f.Pods(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	return &list[slices.IndexFunc(list, func(p corev1.Pod) bool { return p.UID == f.leads })], nil
}

func (f *fakeCluster) pod(name string) *fakePod {
	return f.list[slices.IndexFunc(f.list, func(p *fakePod) bool { return p.Name == name })]
}

func (f *fakeCluster) Reach(_ context.Context, pod string) (string, func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pod(pod).server.URL, func() {}, nil
}

func (f *fakeCluster) Query(context.Context, string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint("term ", f.terms), nil
}

func (f *fakeCluster) Exec(_ context.Context, sql string) (string, error) {
	err := f.call("%s", sql)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case strings.Contains(sql, "read_only = on"):
		f.readOnly = true
	case strings.Contains(sql, "RESET"):
		f.readOnly = false
	case strings.HasPrefix(sql, "DELETE") && f.readOnly:
		return "", errors.New("ERROR: cannot execute DELETE in a read-only transaction")
	case strings.Contains(sql, "10.0.0."):
		return "", nil // PostgreSQL knows no pod by its address
	case strings.Contains(sql, "string_agg"):
		return "7,8", nil
	case strings.Contains(sql, "pid IN (7,8)"):
		return "0", nil
	}
	return "", err
}

func (f *fakeCluster) CrashDatabase(context.Context) error { return f.call("crash") }

func (f *fakeCluster) Signal(_ context.Context, name, signal string) error {
	if err := f.call("%s %s", signal, name); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	pod := f.pod(name)
	switch signal {
	case "STOP":
		pod.stopped = true
		f.elect(pod.UID)
	case "CONT":
		pod.stopped = false
	default:
		pod.Status.ContainerStatuses[0].RestartCount++
		f.elect(pod.UID)
	}
	return nil
}

func (f *fakeCluster) Stopped(_ context.Context, name string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pod(name).stopped, nil
}

func (f *fakeCluster) Delete(_ context.Context, pod *corev1.Pod, grace time.Duration) error {
	err := f.call("delete %s %s", pod.Name, grace)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replace(pod.UID)
	return err
}

func (f *fakeCluster) Evict(_ context.Context, pod *corev1.Pod) error {
	_ = f.call("evict %s", pod.Name)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refused--; f.refused >= 0 {
		return apierrors.NewTooManyRequests("not yet", 1)
	}
	f.replace(pod.UID)
	return nil
}

func (f *fakeCluster) Change(context.Context) error {
	if err := f.call("change"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, pod := range slices.Clone(f.list) {
		f.replace(pod.UID)
	}
	return nil
}

func (f *fakeCluster) Cut(_ context.Context, pod *corev1.Pod, reset bool, others ...string) (
	func(context.Context) (int, error), error,
) {
	err := f.call("cut %s %t %v", pod.Name, reset, others)
	return func(ctx context.Context) (int, error) { return 3, errors.Join(f.call("heal"), ctx.Err()) }, err
}

func (f *fakeCluster) begun() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}
