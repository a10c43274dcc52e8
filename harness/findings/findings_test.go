package findings

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

const root = "../.."

// TestRead: the repository's experiments are good, and cover what the page promises.
func TestRead(t *testing.T) {
	t.Parallel()
	all, err := Read(root, "")
	require.NoError(t, err)
	total := time.Duration(0)
	findings := map[string]bool{}
	for i, e := range all {
		total += e.Expected()
		if i > 0 {
			require.Greater(t, e.Order, all[i-1].Order, e.ID)
		}
		for _, x := range e.Expect {
			findings[x.Finding] = true
		}
		for _, a := range e.Arms {
			_, err := a.spec(e)
			require.NoError(t, err, "%s/%s", e.ID, a.Name)
			require.NoError(t, a.profile(e.Load).Validate(), "%s/%s", e.ID, a.Name)
		}
	}
	require.Less(t, total, 35*time.Minute, "make findings promises about half an hour")
	require.True(t, findings["idle pool"] && findings["expiry storm"])

	some, err := Read(root, "^pool$")
	require.NoError(t, err)
	require.Len(t, some, 1)
	for _, bad := range []string{"(", "moon"} {
		_, err := Read(root, bad)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), bad)
	}
}

func pool(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, Dir, "pool.yaml"))
	require.NoError(t, err)
	return string(raw)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := pool(t)
	_, err := Parse("x", []byte(good))
	require.NoError(t, err)
	for _, c := range [][2]string{
		{"kind: Experiment", "kind: Poem"},
		{"rounds: 6", "rounds: 5"},
		{"rounds: 6", "rounds: 6\nrotateEvery: 100ms"},
		{"rounds: 6", "rounds: 6\nrotateEvery: 4s"},
		{"rounds: 6", "rounds: 6\nmoon: 1"},
		{"connections: 32", "connections: 0"},
		{"duration: 3s", "duration: 1s"},
		{"tenants: 10", "tenants: 0"},
		{"name: 5, all idle", "name: 5, of which 2 idle"},
		{"metric: throughput, atMost: 0.9", "metric: luck, atLeast: 1.5"},
		{"metric: throughput, atMost: 0.9", "metric: throughput"},
		{"metric: throughput, atMost: 0.9", "metric: stormShare, atLeast: 1.5"},
		{`over: "32, all idle"`, "over: nobody"},
		{"order: 20", "order: 20\nstorm: {after: 3s, logins: 3000, ttl: 10s, window: 9s}"},
		{"  - name: 8, all idle", "  - name: 8, all idle\n    recipe: pancakes"},
		{"  - name: 8, all idle", "  - name: 8, all idle\n    mode: telepathy"},
		{"  - name: 8, all idle", "  - name: 8, all idle\n    latencyMs: -1"},
		{"  - name: 8, all idle", "  - name: 8, all idle\n    cpus: -1"},
		{"  - name: 8, all idle", "  - name: 8, all idle\n    tokens: {type: gold}"},
		{"  - name: 8, all idle", "  - name: 8, all idle\n    tokens: {ttl: 1500ms}"},
		{"  - name: 8, all idle", "  - name: 8, all idle\n    tokens: {}"},
		{"  - name: 8, all idle", "  - name: 8, all idle\n    recipe: three-level-cel\n    tokens: {type: batch}"},
	} {
		require.Contains(t, good, c[0])
		_, err := Parse("x", []byte(strings.Replace(good, c[0], c[1], 1)))
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v: %v", c, err)
	}
}

// FuzzParse: what parses can be run.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"pool", "expiry-storm", "database-latency", "inline-leases", "pool-waits"} {
		raw, err := os.ReadFile(filepath.Join(root, Dir, file+".yaml"))
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Parse("fuzz", data)
		if err != nil {
			return
		}
		for _, a := range e.Arms {
			_, err := a.spec(e)
			require.NoError(t, err)
		}
	})
}

// TestTokens: tokens are as the arm or the storm wants them, the storm's TTL first, and no other
// recipe is changed by that.
func TestTokens(t *testing.T) {
	t.Parallel()
	batch := &Tokens{Type: "batch", TTL: document.Duration(8 * time.Second)}
	for name, tc := range map[string]struct {
		arm   Arm
		storm *Storm
		want  [3]any // type, TTL, longest TTL
	}{
		"the recipe's":  {Arm{}, nil, [3]any{"service", "15m", "15m"}},
		"the arm's":     {Arm{Tokens: batch}, nil, [3]any{"batch", "8s", "8s"}},
		"only the TTL":  {Arm{Tokens: &Tokens{TTL: document.Duration(time.Minute)}}, nil, [3]any{"service", "1m0s", "1m0s"}},
		"only the type": {Arm{Tokens: &Tokens{Type: "batch"}}, nil, [3]any{"batch", "15m", "15m"}},
		"the storm's": {
			Arm{Tokens: batch},
			&Storm{TTL: document.Duration(10 * time.Second)},
			[3]any{"batch", "10s", "10s"},
		},
	} {
		recipes, err := tc.arm.recipes(tc.storm)
		require.NoError(t, err, name)
		var got [][3]any
		for _, step := range recipes[0].Provision {
			if kind, ok := step.Body["token_type"]; ok {
				got = append(got, [3]any{kind, step.Body["token_ttl"], step.Body["token_max_ttl"]})
			}
		}
		require.Contains(t, got, tc.want, name)
	}
	_, err := Arm{Recipe: "three-level-cel", Tokens: batch}.recipes(nil)
	require.ErrorContains(t, err, "no role that says what tokens it gives")
}

// storm is a load of 30 s whose throughput is 1000/s, with a hole of the given length at second
// 14.
func storm(hole int, left int64) *result.Load {
	l := &result.Load{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i := range 30 {
		iv := result.Interval{Offset: float64(i), Phase: "measure", Fetches: 1000}
		if i == 0 {
			iv.Phase = "warmup"
		}
		if i >= 14 && i < 14+hole {
			iv.Fetches = left
		}
		l.Series = append(l.Series, iv)
	}
	return l
}

func TestMeasureStorm(t *testing.T) {
	t.Parallel()
	at := func(l *result.Load) time.Time { return l.Start.Add(4 * time.Second) }
	for _, c := range []struct {
		hole  int
		left  int64
		share float64
	}{{0, 0, 1}, {5, 100, 0.1}, {2, 100, 0.4}, {5, 0, 1.0 / 3000}} {
		l := storm(c.hole, c.left)
		var s Slice
		require.NoError(t, measureStorm(&s, l, at(l), 10*time.Second, 9*time.Second))
		require.InDelta(t, c.share, s.StormShare, 1e-9, "%+v", c)
		require.InDelta(t, 1000, s.Quiet, 1e-9)
	}
	l := storm(0, 0)
	require.Error(t, measureStorm(&Slice{}, l, l.Start, 10*time.Second, 9*time.Second), "no quiet time")
	require.Error(t, measureStorm(&Slice{}, l, at(l), time.Minute, 9*time.Second), "no storm")
}

func outcome(base, other []float64, expect ...Expectation) *Outcome {
	o := &Outcome{Experiment: Experiment{
		ID: "x", Title: "X", Rounds: len(base), Expect: expect,
		Arms: []Arm{{Name: "a"}, {Name: "b"}},
	}}
	for i, values := range [][]float64{base, other} {
		arm := ArmOutcome{Arm: Arm{Name: []string{"a", "b"}[i], Change: []string{"", "do it"}[i]}}
		for round, v := range values {
			arm.Slices = append(arm.Slices, Slice{
				Round: round, Throughput: v, OpenBao: 1 + 0.01*float64((round+i)%2),
				PostgreSQL: 1, P95: 1, Opened: 1,
			})
		}
		o.Arms = append(o.Arms, arm)
	}
	o.judge()
	return o
}

func TestJudge(t *testing.T) {
	t.Parallel()
	base := []float64{100, 110, 90, 105, 95, 100}
	twice := []float64{200, 215, 185, 211, 189, 202}
	want := Expectation{Finding: "f", Of: "b", Over: "a", Metric: "throughput", AtLeast: 1.5}
	for name, c := range map[string]struct {
		other   []float64
		expect  Expectation
		verdict result.Verdict
	}{
		"found":     {twice, want, result.Pass},
		"not found": {base, want, result.Fail},
		"the other way": {
			twice,
			Expectation{Finding: "f", Of: "b", Over: "a", Metric: "throughput", AtMost: 0.9},
			result.Fail,
		},
		"too few": {twice[:4], want, result.Fail},
		"no such metric": {
			twice,
			Expectation{Finding: "f", Of: "b", Over: "a", Metric: "thruput", AtLeast: 1.5},
			result.Fail,
		},
		"absolute": {twice, Expectation{Finding: "f", Of: "b", Metric: "throughput", AtLeast: 150}, result.Pass},
	} {
		o := outcome(base, c.other, c.expect)
		r := NewReport("steamer findings", "2 CPUs")
		r.Add(o)
		r.Finish()
		require.Equal(t, c.verdict, r.Verdict, "%s: %v", name, r.Reasons)
	}
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	base := []float64{100, 110, 90, 105, 95, 100}
	for verdict, other := range map[string][]float64{
		WorthIt: {200, 215, 185, 211, 189, 202}, "no effect shown": {101, 108, 92, 104, 96, 99},
		"no: it costs throughput": {50, 56, 44, 52, 47, 51},
	} {
		require.Equal(t, verdict, outcome(base, other).Advice()[0].Verdict())
	}
}

// TestAdviceByCPU: what saves CPU is worth it, also where a crowded machine hides the gain in
// throughput.
func TestAdviceByCPU(t *testing.T) {
	t.Parallel()
	base := []float64{100, 110, 90, 105, 95, 100}
	for verdict, factor := range map[string]float64{WorthIt: 0.5, "no: it costs CPU": 2} {
		o := outcome(base, base)
		for i := range o.Arms[1].Slices {
			o.Arms[1].Slices[i].OpenBao *= factor
			o.Arms[1].Slices[i].PostgreSQL *= factor
		}
		require.Equal(t, verdict, o.Advice()[0].Verdict())
	}
}

// TestEndings: a wrong value is FAIL, an experiment without its end INCONCLUSIVE, also when it
// would have found nothing.
func TestEndings(t *testing.T) {
	t.Parallel()
	o := outcome([]float64{1}, []float64{1}, Expectation{
		Finding: "f", Of: "b", Over: "a", Metric: "throughput",
		AtLeast: 1.5,
	})
	o.Partial = "no more disk"
	r := NewReport("", "")
	r.Add(o)
	r.Finish()
	require.Equal(t, result.Inconclusive, r.Verdict)
	require.Contains(t, r.Reasons[0], "no more disk")

	o.Partial, o.Wrong = ErrWrong.Error(), true
	r.Finish()
	require.Equal(t, result.Fail, r.Verdict)
}

// TestJoin: the page of several runs is that of all their experiments, judged again, the latest of
// each.
func TestJoin(t *testing.T) {
	t.Parallel()
	base := []float64{100, 110, 90, 105, 95, 100}
	twice := []float64{200, 215, 185, 211, 189, 202}
	write := func(id string, order int, other []float64, later time.Duration) string {
		o := outcome(base, other, Expectation{Finding: "f", Of: "b", Over: "a", Metric: "throughput", AtLeast: 1.5})
		o.Experiment.ID, o.Experiment.Order, o.Seconds = id, order, 60
		r := NewReport("steamer findings --run "+id, "2 CPUs")
		r.Started = r.Started.Add(later)
		r.Add(o)
		r.Finish()
		data, err := json.Marshal(r)
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "findings.json"), data, 0o600))
		return dir
	}
	old, second, first := write("second", 2, base, 0), write("second", 2, twice, time.Minute), write("first", 1, twice, 0)
	r, err := Join([]string{second, old, first})
	require.NoError(t, err)
	require.Len(t, r.Outcomes, 2)
	require.Equal(t, "first", r.Outcomes[0].Experiment.ID)
	require.Equal(t, result.Pass, r.Verdict, r.Reasons)
	require.Len(t, r.Outcomes[1].Found, 1)

	r, err = Join([]string{old})
	require.NoError(t, err)
	require.Equal(t, result.Fail, r.Verdict)
	broken := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(broken, "findings.json"), []byte(`{"kind":"Poem"}`), 0o600))
	for _, bad := range [][]string{{broken}, {t.TempDir()}} {
		_, err := Join(bad)
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
	}
}
