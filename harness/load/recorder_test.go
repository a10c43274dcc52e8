package load_test

import (
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
)

func plan() load.Plan { return load.Plan{Warmup: 2 * time.Second, Duration: 3 * time.Second, Rate: 2} }

// whole is a complete log: 2 s of warm-up, 3 s measured, the phases meeting inside a second.
func whole() []string {
	return []string{
		header(),
		interval(1_000_000, "warmup", map[string]int64{"fetches": 2, "wrong": 1, "status_200": 2, "dropped": 5}, 90_000,
			90_000),
		interval(1_001_000, "warmup", map[string]int64{"fetches": 1, "status_200": 1}, 80_000),
		interval(1_001_000, "measure", map[string]int64{"fetches": 1, "status_200": 1}, 10_000),
		interval(1_002_000, "measure", map[string]int64{"fetches": 2, "failed": 1, "status_200": 1, "status_503": 1}, 20_000,
			30_000),
		interval(1_003_000, "measure", map[string]int64{
			"fetches": 2, "failed": 1, "status_200": 1, "status_0": 1,
			"dropped": 1, "interrupted": 1, "error_timeout": 1,
		}, 40_000, 50_000),
		interval(1_004_000, "measure", map[string]int64{"fetches": 1, "wrong": 1, "status_200": 1}, 60_000),
		summary(""),
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for name, ending := range map[string]string{"newline at the end": "\n", "no newline at the end": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := loadtest.Parse(iotest.OneByteReader(strings.NewReader(strings.Join(whole(), "\n")+ending)), plan())
			require.NoError(t, err)
			require.Empty(t, l.Partial)
			require.Equal(t, [4]int64{6, 2, 1, 1}, [4]int64{l.Fetches, l.Failed, l.Wrong, l.Dropped},
				"the warm-up does not count")
			require.InDelta(t, 2.0, l.AchievedRate, 1e-9, "6 fetches in the planned 3 s")
			require.Equal(t, map[string]int64{"200": 4, "503": 1, "error": 1}, l.Statuses)
			require.Equal(t, map[string]float64{"interrupted": 1, "error_timeout": 1}, l.Extra)
			require.Equal(t, time.UnixMilli(1_000_000).UTC(), l.Start)
			require.InDelta(t, 35, l.Actual.Mean, 0.1)
			require.InDelta(t, 36, l.Intended.Mean, 0.1)
			require.InDelta(t, 61, l.Intended.Max, 0.1)
			require.Len(t, l.Series, 6)
			require.Equal(t, []any{0.0, "warmup", int64(2), int64(1), int64(5)}, []any{
				l.Series[0].Offset, l.Series[0].Phase,
				l.Series[0].Fetches, l.Series[0].Wrong, l.Series[0].Dropped,
			})
			require.InDelta(t, 91, l.Series[0].P99, 0.1)
			require.Equal(t, 4.0, l.Series[5].Offset)
			require.Equal(t, 20, l.Generator.MaxVUs)
			require.Equal(t, "v2.1.0", l.Generator.Version)
		})
	}
}

func TestParsePartial(t *testing.T) {
	t.Parallel()
	all := whole()
	for name, tc := range map[string]struct {
		log      string
		want     string
		fetches  int64
		achieved float64
	}{
		"no summary": {log: strings.Join(all[:7], "\n") + "\n", want: "no summary", fetches: 6, achieved: 2},
		"cut in a line": {
			log:  strings.Join(all[:5], "\n") + "\n" + all[5][:40],
			want: "last line of k6's output is cut off", fetches: 3, achieved: 1.5,
		},
		"said by k6": {
			log:  strings.Join(append(append([]string{}, all[:5]...), summary("signal: interrupt")), "\n"),
			want: "k6 stopped before the end: signal: interrupt", fetches: 3, achieved: 1.5,
		},
		"warm-up only":     {log: strings.Join(all[:3], "\n") + "\n", want: "no summary", fetches: 0, achieved: 0},
		"header only":      {log: all[0] + "\n", want: "no summary", fetches: 0, achieved: 0},
		"cut after header": {log: all[0] + "\n{", want: "cut off", fetches: 0, achieved: 0},
		"said without why": {
			log:  all[0] + "\n" + `{"v":1,"kind":"summary","partial":true}`,
			want: "k6 stopped before the end", fetches: 0, achieved: 0,
		},
		"summary w/o newline": {
			log: strings.Join(all[:7], "\n") + "\n" + all[7][:20], want: "cut off", fetches: 6,
			achieved: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := loadtest.Parse(strings.NewReader(tc.log), plan())
			require.NoError(t, err)
			require.Contains(t, l.Partial, tc.want)
			require.Equal(t, tc.fetches, l.Fetches)
			require.InDelta(t, tc.achieved, l.AchievedRate, 1e-9)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := interval(1000, "measure", map[string]int64{"fetches": 1}, 5000)
	for name, tc := range map[string]struct{ log, wantErr string }{
		"empty":            {"", "empty"},
		"text":             {"hello\n", "line 1 is not k6 interval output"},
		"text, no newline": {"hello", "line 1 is not k6 interval output"},
		"k6's own JSON":    {`{"metric":"http_reqs","type":"Metric"}` + "\n", "format version 0"},
		"garbage later":    {header() + "\n" + good + "\nxx\n", "line 3 is not k6 interval output"},
		"no header":        {good + "\n", "where the header"},
		"two headers":      {header() + "\n" + header() + "\n", "where the header"},
		"newer":            {`{"v":2,"kind":"header","unit":"us"}` + "\n", "format version 2"},
		"other unit":       {`{"v":1,"kind":"header","unit":"ns"}` + "\n", `"ns", want "us"`},
		"unknown kind":     {header() + "\n" + `{"v":1,"kind":"note"}` + "\n", `unknown kind "note"`},
		"unknown phase":    {header() + "\n" + interval(1000, "", nil, 5) + "\n", `unknown phase ""`},
		"backwards": {
			header() + "\n" + `{"v":1,"kind":"interval","phase":"measure","start_ms":5,"end_ms":4}` + "\n",
			"interval from 5 to 4",
		},
		"negative count": {
			header() + "\n" + interval(1000, "measure", map[string]int64{"failed": -1}, 5) + "\n",
			`count "failed" is -1`,
		},
		"bad histogram": {header() + "\n" +
			`{"v":1,"kind":"interval","phase":"measure","start_ms":5,"end_ms":9,"hist":{"fetch_actual":"` + notBase64() + `"}}` +
			"\n", "fetch_actual"},
		"after the summary": {strings.Join(whole(), "\n") + "\n" + good + "\n", "after the summary"},
		"endless line":      {header() + "\n" + strings.Repeat("x", 5<<20), "line 2 is longer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadtest.Parse(strings.NewReader(tc.log), plan())
			require.ErrorContains(t, err, tc.wantErr)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(strings.Join(whole(), "\n"))
	f.Add(header() + "\n" + `{"v":1,"kind":"interval","phase":"measure","start_ms":5,"end_ms":9,"count":{"fetches":9223372036854775807}}`)
	f.Fuzz(func(t *testing.T, in string) {
		l, err := loadtest.Parse(strings.NewReader(in), plan())
		if err == nil {
			require.NotNil(t, l)
			require.LessOrEqual(t, l.MeasuredSeconds, 3.0)
		}
	})
}
