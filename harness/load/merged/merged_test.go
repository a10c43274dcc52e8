package merged_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/load/merged"
	"gitlab.com/steamer/steamer/harness/result"
)

const (
	rate    = 300
	seconds = 40
	began   = 1_800_000_000
)

// log is what the i-th of n processes writes: its share of the rate for the whole time, each fetch
// of 5 ms.
func log(t *testing.T, i, n int) []string {
	t.Helper()
	return delayed(t, 0, i, n)
}

// delayed is the same of a process that began seconds too late.
func delayed(t *testing.T, late, i, n int) []string {
	t.Helper()
	lines := []string{
		"WARN a message of k6's",
		fmt.Sprintf(`{"v":1,"kind":"header","start":"2027-01-15T08:00:00Z","unit":"us","segment":%q}`, load.Segment(i, n)),
	}
	h := hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)
	for range rate / n {
		require.NoError(t, h.RecordValue(5000))
	}
	encoded, err := hdr.Encode(h)
	require.NoError(t, err)
	for s := range seconds {
		b, err := json.Marshal(map[string]any{
			"v": 1, "kind": "interval", "start_ms": 1000 * (began + late + s), "end_ms": 1000 * (began + late + s + 1),
			"phase": "measure",
			"hist":  map[string]string{"fetch_actual": encoded, "fetch_intended": encoded},
			"count": map[string]int{"fetches": rate / n, "status_200": rate / n},
		})
		require.NoError(t, err)
		lines = append(lines, string(b))
	}
	return append(lines, `{"v":1,"kind":"summary","max_vus":5,"k6":"v2.1.0","cpu_s":2.4,"max_rss_mib":60,"cpus":2}`)
}

func spec(t *testing.T, logs ...[]string) merged.Spec {
	t.Helper()
	dir := t.TempDir()
	for i, lines := range logs {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.log", i+1)),
			[]byte(strings.Join(lines, "\n")+"\n"), 0o600))
	}
	found, err := merged.Find([]string{dir})
	require.NoError(t, err)
	slo, err := judge.ReadSLO("../../../perf/slo.yaml")
	require.NoError(t, err)
	return merged.Spec{
		Logs: found, Rate: rate, Tolerance: load.DefaultTolerance, SLO: slo, Unobserved: true,
		Profile: load.Profile{
			Name: "steady", Workload: "fetch", Mode: "inline", Duration: document.Duration(seconds * time.Second),
			NotJudged: []string{"fetch_p95_ms", "fetch_p99_ms"}, // which take two and ten minutes
		},
		Environment: result.Topology{Name: "cloud-native", Versions: map[string]string{"openbao": "2.4.0"}},
		Frame:       result.Result{APIVersion: result.APIVersion, Kind: result.Kind, Run: result.Run{ID: "r", Tier: "150"}},
	}
}

func TestMergeJudges(t *testing.T) {
	t.Parallel()
	a, b := log(t, 0, 2), log(t, 1, 2)
	late := delayed(t, 9, 1, 2)
	edit := func(lines []string, old, replacement string) []string {
		return strings.Split(strings.ReplaceAll(strings.Join(lines, "\n"), old, replacement), "\n")
	}
	for name, tc := range map[string]struct {
		logs   [][]string
		change func(*merged.Spec)
		want   result.Verdict
		reason string
	}{
		"both":              {[][]string{a, b}, nil, result.Pass, "12000 fetches, 0 failed, 0 wrong"},
		"one":               {[][]string{log(t, 0, 1)}, nil, result.Pass, "12000 fetches"},
		"a part is missing": {[][]string{a}, nil, result.Inconclusive, "the share 1/2:1 is missing"},
		"a gap": {
			[][]string{log(t, 0, 3), log(t, 2, 3)},
			nil, result.Inconclusive,
			"the share 1/3:2/3 is missing",
		},
		"one twice": {[][]string{a, a, b}, nil, result.Inconclusive, "1.log and 2.log had the same share"},
		"in part": {
			[][]string{a, log(t, 1, 3), log(t, 2, 3)},
			nil, result.Inconclusive,
			"1.log and 2.log had the same share of the schedule, or part of it",
		},
		"no shares": {
			[][]string{edit(a, `"segment":"0:1/2"`, `"x":1`), b},
			nil, result.Inconclusive,
			"1.log: its log does not say which share",
		},
		"a share that is none": {
			[][]string{edit(a, "0:1/2", "1/2:0"), b}, nil, result.Inconclusive, `"1/2:0" is not a share of a schedule`,
		},
		"late": {
			[][]string{a, late},
			nil, result.Inconclusive,
			"2.log began 9 s after the first, more than 3 s",
		},
		"late, and allowed": {[][]string{a, late}, func(s *merged.Spec) { s.Tolerance = 10 * time.Second }, result.Pass, ""},
		"killed":            {[][]string{a, b[:len(b)-1]}, nil, result.Inconclusive, "2.log: no summary: it was killed"},
		"wrong value":       {[][]string{a, edit(b, `"fetches"`, `"wrong":1,"fetches"`)}, nil, result.Fail, "wrong value"},
		"another plan": {
			[][]string{a, b},
			func(s *merged.Spec) { s.Rate = 900 }, result.Inconclusive,
			"300 of 900 fetches/s",
		},
		"nobody watched": {
			[][]string{a, b},
			func(s *merged.Spec) { s.Unobserved = false }, result.Inconclusive,
			"not watched throughout",
		},
		"no CPU time": {
			[][]string{a, edit(b, `"cpu_s":2.4,`, "")},
			nil, result.Inconclusive,
			"CPU time was not recorded",
		},
		"saturated": {
			[][]string{a, edit(b, `"cpu_s":2.4`, `"cpu_s":33.4`)},
			nil, result.Inconclusive,
			"k6 used 41.8 % of the host",
		},
		"no objectives": {
			[][]string{a, b},
			func(s *merged.Spec) { s.Environment.Versions = nil }, result.Inconclusive,
			"the SLO file has none",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec(t, tc.logs...)
			if tc.change != nil {
				tc.change(&s)
			}
			var log strings.Builder
			r, err := merged.Merge(s, loadtest.To(&log))
			require.NoError(t, err)
			require.Equal(t, tc.want, r.Verdict, "%q", r.Reasons)
			require.Contains(t, strings.Join(r.Reasons, "; "), tc.reason)
			_, err = result.Encode(r)
			require.NoError(t, err)
			again, err := loadtest.Parse(strings.NewReader(log.String()), load.Plan{
				Duration: seconds * time.Second,
				Rate:     s.Rate,
			})
			require.NoError(t, err)
			require.Equal(t, r.Topologies[0].Load.Intended, again.Intended, "the merged log is a log like any other")
		})
	}
}

// TestMergeRefuses: what is no log, or not the whole of one, is refused before anything is
// written.
func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	a, b := log(t, 0, 2), log(t, 1, 2)
	whole := strings.Join(b, "\n") + "\n"
	for want, text := range map[string]string{
		"it holds no interval log of k6":   "just\nmessages\n",
		"it is truncated: line 43 is cut":  whole[:len(whole)-20],
		"its beginning is missing":         strings.Join(b[2:], "\n"),
		"line 3 is not k6 interval output": strings.Join(b[:2], "\n") + "\n{\"v\":1,\n",
		"format version 2":                 strings.Replace(whole, `"v":1`, `"v":2`, 1),
		`"header" where the header`:        whole + whole,
		"unknown phase":                    strings.ReplaceAll(whole, "measure", "measures"),
		"fetch_actual":                     strings.ReplaceAll(whole, `"fetch_actual":"HIST`, `"fetch_actual":"HISX`),
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := spec(t, a, b)
			require.NoError(t, os.WriteFile(s.Logs[1], []byte(text), 0o600))
			_, err := merged.Merge(s, func(*result.Result) (io.WriteCloser, error) {
				t.Error("something was written")
				return nil, os.ErrInvalid
			})
			require.ErrorContains(t, err, want)
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		})
	}
}

// TestMergeLeavesMessagesOut: whatever k6 says among the lines of its log, in whichever format,
// changes nothing.
func TestMergeLeavesMessagesOut(t *testing.T) {
	t.Parallel()
	a, b := log(t, 0, 2), log(t, 1, 2)
	control, err := merged.Merge(spec(t, a, b), loadtest.To(io.Discard))
	require.NoError(t, err)
	for name, message := range map[string]string{
		"text":               `time="2026-11-26T04:30:00Z" level=warning msg="slow"`,
		"JSON":               `{"level":"warning","msg":"slow","time":"2026-11-26T04:30:02Z"}`,
		"spaced JSON":        `{ "msg": "slow", "level": "info" }`,
		"JSON of a script":   `{"kind":"header","count":{"fetches":5}}`,
		"a version alone":    `{"v":3,"msg":"slow"}`,
		"JSON over lines":    "{\n  \"level\": \"info\"\n}",
		"raw text":           `{not JSON`,
		"an empty line":      "",
		"an empty object":    "{}",
		"JSON but no object": `["v","kind"]`,
	} {
		for place, at := range map[string]int{"first": 0, "in the middle": 2, "last": len(a)} {
			t.Run(name+" "+place, func(t *testing.T) {
				t.Parallel()
				s := spec(t, slices.Insert(slices.Clone(a), at, message), b)
				r, err := merged.Merge(s, loadtest.To(io.Discard))
				require.NoError(t, err)
				require.Equal(t, control.Verdict, r.Verdict, "%q", r.Reasons)
				require.Equal(t, control.Reasons, r.Reasons)
				require.Equal(t, control.Topologies[0].Load.Fetches, r.Topologies[0].Load.Fetches)
				require.Empty(t, r.Topologies[0].Load.Partial)
			})
		}
	}
}

// TestMergeNamesWhatIsInFront: tools put something before each line, or wrap it.
func TestMergeNamesWhatIsInFront(t *testing.T) {
	t.Parallel()
	a, b := log(t, 0, 2), log(t, 1, 2)
	prefixed := func(front string) func(string) string { return func(line string) string { return front + line } }
	for name, tc := range map[string]struct {
		change func(string) string
		from   int // line
		want   string
	}{
		"timestamps": {
			prefixed("2026-11-26T04:30:00.000000000Z "), 0,
			`line 2 of the log has "2026-11-26T04:30:00.000000000Z "`,
		},
		"prefixes":      {prefixed("[pod/steamer-load-1-x7k2p/k6] "), 0, `"[pod/steamer-load-1-x7k2p/k6] "`},
		"a node's file": {prefixed("2026-11-26T04:30:00Z stdout F "), 0, `"2026-11-26T04:30:00Z stdout F "`},
		"Compose":       {prefixed("k6-1  | "), 0, `"k6-1  | "`},
		"an engine's file": {
			func(line string) string { return fmt.Sprintf(`{"log":%q,"stream":"stdout"}`, line+"\n") }, 0,
			`log`,
		},
		"from the middle": {prefixed("k6-1 | "), 3, `line 4 of the log has "k6-1 | "`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := slices.Clone(a)
			for i := tc.from; i < len(lines); i++ {
				lines[i] = tc.change(lines[i])
			}
			_, err := merged.Merge(spec(t, lines, b), loadtest.To(io.Discard))
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "without --timestamps and --prefix")
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		})
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	s := spec(t, log(t, 0, 1))
	for want, paths := range map[string][]string{
		"no such file":       {filepath.Join(t.TempDir(), "x.log")},
		"no file in it ends": {t.TempDir()},
		"it is named twice":  {s.Logs[0], filepath.Dir(s.Logs[0])},
	} {
		_, err := merged.Find(paths)
		require.ErrorContains(t, err, want)
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
	}
}

func TestEnvironmentOfARun(t *testing.T) {
	t.Parallel()
	at := time.Unix(began, 0).UTC()
	pod := result.ResourceSeries{Component: "openbao", Name: "openbao-0/openbao"}
	for i := range seconds + 2 {
		pod.Samples = append(pod.Samples, result.ResourceSample{
			At: at.Add(time.Duration(i-1) * time.Second), CPUCores: 0.2,
			MemoryMiB: 300,
		})
	}
	r := &result.Result{Topologies: []result.Topology{
		{
			Name:     "cloud-native",
			Versions: map[string]string{"openbao": "2.4.0"}, Resources: []result.ResourceSeries{pod},
		},
		{Name: "cloud-native-hybrid"},
	}}
	s := spec(t, log(t, 0, 2), log(t, 1, 2))
	var err error
	s.Environment, err = merged.Environment("result.json", r, "cloud-native")
	require.NoError(t, err)
	s.Unobserved = false
	got, err := merged.Merge(s, loadtest.To(io.Discard))
	require.NoError(t, err)
	require.Equal(t, result.Pass, got.Verdict, "%q", got.Reasons)
	require.NotNil(t, got.Topologies[0].Cost.OpenBaoCPU)
	require.InDelta(t, 0.667, *got.Topologies[0].Cost.OpenBaoCPU, 0.01, "0.2 core for 300 fetches/s")
	for i := range pod.Samples {
		pod.Samples[i].At = pod.Samples[i].At.Add(time.Hour)
	}
	got, err = merged.Merge(s, loadtest.To(io.Discard))
	require.NoError(t, err)
	require.Equal(t, result.Inconclusive, got.Verdict)
	require.Empty(t, got.Topologies[0].Resources, "observations of another time are no evidence")
	_, err = merged.Environment("result.json", r, "")
	require.ErrorContains(t, err, "choose with --topology from cloud-native, cloud-native-hybrid")
}
