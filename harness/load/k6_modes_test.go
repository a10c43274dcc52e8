package load_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/result"
)

// rig is a real OpenBao with tenants, and our k6.
type rig struct {
	*loadtest.Site
	runner load.Runner
	job    func(name, seed string, duration time.Duration) load.Job
}

// fixture is what the job's profile needs, for a load that goes to target.
func (r *rig) fixture(t *testing.T, j *load.Job, target string) {
	t.Helper()
	j.Target, j.Fixture = target, r.Document(t, target, r.Seed, j.Profile.FixtureOptions(r.Recipes)...)
}

// arrivals are how many the schedule had while measuring; a busy machine drops some.
func arrivals(l *result.Load) int64 { return l.Fetches + l.Dropped }

// stages: the excursion is told apart, and what follows it is measured on a schedule of its own.
func (r *rig) stages(t *testing.T) {
	j := r.job("stages", "k6", 0)
	j.Profile.Stages = []load.Stage{
		{Duration: document.Duration(2 * time.Second), Times: 1},
		{Times: 5},
		{Duration: document.Duration(2 * time.Second), Times: 5, Excursion: true},
		{Times: 0.5},
		{Duration: document.Duration(4 * time.Second), Times: 1.5},
	}
	j.Profile.Duration = document.Duration(8 * time.Second)
	j.Profile.APIVersion, j.Profile.Kind, j.Profile.Rate, j.Profile.Connections.Reuse = "steamer/v1", "Profile",
		load.Rate{PerSecond: 20}, true
	require.NoError(t, j.Profile.Validate())
	l, err := r.runner.Run(t.Context(), j)
	require.NoError(t, err)
	require.Empty(t, l.Partial)
	// k6's ramping schedule loses what a stalled machine was late for, by up to a stall's length
	// at each of the three beginnings.
	const stall = 10
	require.InDelta(t, 120, arrivals(l), stall, "20/s for 2 s, and 4 s from 10/s to 30/s")
	require.InDelta(t, 200, l.Excursion.Fetches+l.Excursion.Dropped, 2*stall, "100/s for 2 s")
	require.Equal(t, [2]int64{0, 0}, [2]int64{l.Failed, l.Wrong})
	require.InDelta(t, 20, l.OfferedRate, 1e-9)
	require.LessOrEqual(t, l.AchievedRate, float64(l.Fetches)/6+1e-9, "what ends after the end does not count")
	require.Positive(t, l.AchievedRate)
	require.Equal(t, l.Fetches, l.Intended.Count, "all have a scheduled start")
	if l.Dropped == 0 {
		require.Less(t, l.Intended.P50, 5*l.Actual.P50+10, "the excursion's schedule does not reach into the measurement")
	}
	require.Len(t, l.Stages, 3)
	require.InDelta(t, 80, l.Stages[2].Fetches+l.Stages[2].Dropped, stall)
	require.Positive(t, l.Stages[1].P50)
	require.Greater(t, l.OfferedAt(l.Stages[2].At+3), 20.0)
}

// mixed: jobs fetch while Rails writes, with three jobs of each tenant, and the parts and kinds
// are told apart.
func (r *rig) mixed(t *testing.T) {
	j := r.job("mixed", "k6", 6*time.Second)
	j.Profile.Mode = "mixed"
	j.Profile.Weights = map[string]float64{"inline": 5, "login-read-revoke": 2, "rails": 1}
	j.Profile.Operations = map[string]float64{"create": 1, "list": 1}
	j.Profile.JobTokens = &load.JobTokens{PerTenant: 3}
	j.Profile.Tenants = &load.Tenants{Choice: "hot", Hot: 2, Share: 0.9}
	r.fixture(t, &j, r.Server.Address)
	l, err := r.runner.Run(t.Context(), j)
	require.NoError(t, err)
	require.InDelta(t, 120, arrivals(l), 1)
	require.Equal(t, [2]int64{0, 0}, [2]int64{l.Failed, l.Wrong}, "%v", l.Extra)
	require.Greater(t, l.Attempts.Count, 5*l.Fetches/4)
	require.Zero(t, l.Attempts.Failed)
	for _, step := range []string{"connect", "login", "read", "revoke", "write_value", "list"} {
		require.Positive(t, l.Steps[step].Count, "%s of %v", step, l.Steps)
	}
	all := int64(0)
	for kind, d := range l.Kinds {
		require.Positive(t, d.P50, kind)
		all += d.Count
	}
	require.Equal(t, l.Fetches, all, "each fetch has one kind")
	require.Equal(t, l.Kinds["login-read-revoke"].Count, l.Steps["revoke"].Count)
}

// retries: what answers in front of OpenBao answers 503 for a moment, as a load balancer does
// without a healthy backend. Jobs do not see it.
func (r *rig) retries(t *testing.T) {
	backend, err := url.Parse(r.Server.Address)
	require.NoError(t, err)
	const first, burst = 60, 5 // the warm-up is 2 s at 20/s
	var requests atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(backend)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if n := requests.Add(1); n >= first && n < first+burst {
			http.Error(w, "no healthy backend", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, req)
	}))
	defer front.Close()
	for name, retries := range map[string]bool{"with": true, "without": false} {
		requests.Store(0)
		j := r.job("retries-"+name, "k6", 5*time.Second)
		j.Profile.Retries = retries
		r.fixture(t, &j, front.URL)
		l, err := r.runner.Run(t.Context(), j)
		require.NoError(t, err)
		require.InDelta(t, 100, arrivals(l), 1)
		require.Equal(t, retries, l.Attempts.Repeats)
		require.EqualValues(t, burst, l.Attempts.Failed, "the raw error rate is the same")
		require.EqualValues(t, burst, l.Extra["attempt_status_503"])
		if retries {
			require.Equal(t, [3]int64{0, burst, burst}, [3]int64{l.Failed, l.Attempts.Retried, l.Attempts.Rescued})
			require.Greater(t, l.Intended.Max, 1000.0, "Runner waits a second before it tries again")
		} else {
			require.Equal(t, [3]int64{burst, 0, 0}, [3]int64{l.Failed, l.Attempts.Retried, l.Attempts.Rescued})
		}
	}
}

// wrongValue: one of ten thousand answers has another value in it. k6 notices, and no share of
// right ones outweighs it.
func (r *rig) wrongValue(t *testing.T) {
	t.Parallel()
	backend, err := url.Parse(r.Server.Address)
	require.NoError(t, err)
	const rate, seconds, chosen = 500, 20, 2000 // the warm-up is 2 s
	var answers atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(backend)
	proxy.ModifyResponse = func(response *http.Response) error {
		if answers.Add(1) != chosen {
			return nil
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		begin := bytes.Index(body, []byte(`"value":"`)) + len(`"value":"`)
		body[begin] ^= 1 // of the value's first letter another one: the length stays
		response.Body = io.NopCloser(bytes.NewReader(body))
		return err
	}
	front := httptest.NewServer(proxy)
	defer front.Close()
	j := r.job("wrong", "k6", seconds*time.Second)
	j.Rate, j.Profile.Connections.Reuse = rate, true
	r.fixture(t, &j, front.URL)
	l, err := r.runner.Run(t.Context(), j)
	require.NoError(t, err)
	require.EqualValues(t, 1, l.Wrong)
	require.InDelta(t, rate*seconds, arrivals(l), 10)
	slo, err := judge.ReadSLO("../../perf/slo.yaml")
	require.NoError(t, err)
	judged := result.Result{
		Run:        result.Run{Tier: "12"},
		Topologies: []result.Topology{{Name: "cloud-native", Versions: map[string]string{"openbao": "2.4.0"}, Load: l}},
	}
	judge.Judge(&judged, judge.Policy{SLO: slo, Validity: judge.DefaultValidity(), Expect: judge.Expect{Load: true}})
	require.Equal(t, result.Fail, judged.Verdict)
	require.Contains(t, strings.Join(judged.Reasons, "\n"), "wrong value")
}
