package load_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/result"
)

const spike = `[{duration: 60s, times: 1}, {duration: 0s, times: 5}, {duration: 30s, times: 5, excursion: true}, {duration: 10s, times: 1, excursion: true}, {duration: 1m, times: 1}]`

func profile(t *testing.T, old, with string) load.Profile {
	t.Helper()
	p, err := load.ParseProfile("some.yaml", []byte(strings.Replace(smoke, old, with, 1)))
	require.NoError(t, err)
	return p
}

func TestStages(t *testing.T) {
	t.Parallel()
	p := profile(t, "duration: 60s", "stages: "+spike)
	require.Equal(t, 160*time.Second, time.Duration(p.Duration), "the sum")
	j := load.Job{Profile: p, Rate: 12}
	require.Equal(t, []result.LoadStage{
		{At: 15, Seconds: 60, From: 12, To: 12},
		{At: 75, Seconds: 30, From: 60, To: 60, Excursion: true},
		{At: 105, Seconds: 10, From: 60, To: 12, Excursion: true},
		{At: 115, Seconds: 60, From: 12, To: 12},
	}, j.Plan().Stages)
	require.Contains(t, load.Settings(j),
		"STEAMER_STAGES=60000ms:12,0ms:60,30000ms:60:excursion,10000ms:12:excursion,60000ms:12")
	require.NoError(t, p.Fits(12, 50))
	require.ErrorContains(t, p.Fits(30_000, 50), "a stage has 150000")
	require.ErrorContains(t, p.Fits(0.0001, 50), "want 0.001")

	odd := profile(t, "duration: 60s", "stages: [{duration: 1s, times: 1.4}, {duration: 1s, times: 2.8}]")
	require.Contains(t, load.Settings(load.Job{Profile: odd, Rate: 12}), "STEAMER_STAGES=1000ms:16.8,1000ms:33.6",
		"no binary dust")

	own := profile(t, "duration: 60s", "duration: 60s\nstages: [{duration: 60s, perSecond: 2.5}]")
	require.Equal(t, []result.LoadStage{{At: 15, Seconds: 60, From: 12, To: 2.5}},
		load.Job{Profile: own, Rate: 12}.Plan().Stages)
}

func TestWork(t *testing.T) {
	t.Parallel()
	p := profile(t, "mode: inline", "mode: mixed\nweights: {inline: 9, rails: 0.5}\noperations: {list: 4, create: "+
		"1}\nretries: true\n"+
		"jobTokens: {perTenant: 3, algorithm: ES256}\ntenants: {choice: hot, hot: 2, share: 0.9}")
	settings := load.Settings(load.Job{Profile: p, Rate: 12})
	require.Subset(t, settings, []string{
		"STEAMER_MODE=mixed", "STEAMER_WEIGHTS=inline=9,rails=0.5", "STEAMER_OPERATIONS=create=1,list=4",
		"STEAMER_RETRIES=true",
		"STEAMER_CHOICE=hot", "STEAMER_HOT_TENANTS=2", "STEAMER_HOT_SHARE=0.9",
	})
	require.True(t, p.Writes())
	require.Equal(t, gitlab.ES256, p.Algorithm())
	require.Len(t, p.FixtureOptions(nil), 2)
	require.ErrorContains(t, p.Fits(12, 1), "hot 2: there are only 1 tenants")

	inline, err := p.WithMode("inline")
	require.NoError(t, err)
	require.Nil(t, inline.Weights)
	require.Nil(t, inline.Operations)
	require.NotNil(t, p.Weights, "the profile itself is as it was")
	rails, err := p.WithMode("rails")
	require.NoError(t, err)
	require.NotNil(t, rails.Operations)
	_, err = inline.WithMode("mixed")
	require.ErrorContains(t, err, "weights")
	require.Equal(t, gitlab.RS256, profile(t, "x", "x").Algorithm())
}

// TestParseStages reads a log with two measured spans and an excursion between them.
func TestParseStages(t *testing.T) {
	t.Parallel()
	count := func(failed, dropped, wrong int64) map[string]int64 {
		return map[string]int64{
			"fetches": 2, "failed": failed, "dropped": dropped, "wrong": wrong, "status_200": 2,
			"attempts": 3, "attempts_failed": failed,
		}
	}
	log := []string{
		header(), interval(1000, "warmup", count(0, 0, 0), 5000), interval(2000, "measure", count(0, 0, 0), 5000),
		interval(3000, "measure", count(0, 0, 0), 7000),
		interval(4000, "excursion", count(0, 0, 0), 90_000), interval(5000, "excursion", count(1, 4, 1), 190_000),
		interval(6000, "excursion", count(0, 0, 0), 50_000), interval(6000, "measure", count(0, 0, 0), 9000),
		interval(7000, "measure", count(0, 0, 0), 5000),
	}
	p := load.Plan{Warmup: time.Second, Duration: 6 * time.Second, Rate: 2, Stages: []result.LoadStage{
		{At: 1, Seconds: 2, From: 2, To: 2},
		{At: 3, Seconds: 2, From: 4, To: 8, Excursion: true},
		{At: 5, Seconds: 2, From: 2, To: 2},
	}}
	parse := func(lines ...string) *result.Load {
		l, err := loadtest.Parse(strings.NewReader(strings.Join(lines, "\n")), p)
		require.NoError(t, err)
		return l
	}
	l := parse(append(log, summary(""))...)
	require.Empty(t, l.Partial)
	require.EqualValues(t, 8, l.Fetches, "the excursion is not in it")
	require.Equal(t, [3]int64{0, 0, 0}, [3]int64{l.Failed, l.Dropped, l.Wrong})
	require.Equal(t, [3]float64{2, 2, 4}, [3]float64{l.OfferedRate, l.AchievedRate, l.MeasuredSeconds})
	require.Less(t, l.Intended.Max, 20.0)
	e := l.Excursion
	require.Equal(t, [4]int64{6, 1, 4, 1}, [4]int64{e.Fetches, e.Failed, e.Dropped, e.Wrong})
	require.Equal(t, [2]float64{2, 6}, [2]float64{e.Seconds, e.Offered})
	require.InDelta(t, 191, e.Intended.Max, 1)
	require.Equal(t, [2]int64{4, 4}, [2]int64{l.Stages[0].Fetches, l.Stages[2].Fetches},
		"a second with two phases is told apart")
	require.EqualValues(t, 4, l.Stages[1].Dropped)
	require.InDelta(t, 91, l.Stages[1].P50, 2, "the median of three seconds")
	require.Equal(t, 8*time.Second-time.Second-time.Second, l.Measured().To.Sub(l.Measured().From), "excursions included")
	trouble, ok := l.FirstTrouble()
	require.True(t, ok)
	require.Equal(t, result.Trouble{At: 4, Rate: 6, Failed: 1, Dropped: 4}, trouble)

	cut := parse(log[:5]...)
	require.NotEmpty(t, cut.Partial)
	require.InDelta(t, 2, cut.MeasuredSeconds, 1e-9, "what was reached")
	require.InDelta(t, 1, cut.Excursion.Seconds, 1e-9)
	require.InDelta(t, 5, cut.Excursion.Offered, 1e-9, "half of the way from 4 to 8 is 6, and 5 the mean until then")
	require.Len(t, cut.Stages, 2)
}

// TestParseParts reads what the modes with more than one call add, from the measured phase only.
func TestParseParts(t *testing.T) {
	t.Parallel()
	part := func(phase string, ms int64) string {
		line := interval(ms, phase, map[string]int64{
			"fetches": 1, "attempts": 3, "attempts_failed": 1, "retried": 1,
			"rescued": 1, "status_200": 1,
		}, 9000)
		return strings.NewReplacer(`"fetch_actual"`, `"step_login"`, `"fetch_intended"`, `"kind_create"`).Replace(line)
	}
	l, err := loadtest.Parse(strings.NewReader(strings.Join([]string{
		header(), part("warmup", 1000), part("measure", 2000),
		part("measure", 3000), summary(""),
	}, "\n")), plan())
	require.NoError(t, err)
	require.Equal(t, &result.Attempts{Count: 6, Failed: 2, Retried: 2, Rescued: 2}, l.Attempts)
	raw, ok := l.Attempts.RawErrorRate()
	require.True(t, ok)
	require.InDelta(t, 1.0/3, raw, 1e-9)
	require.Len(t, l.Steps, 1)
	require.EqualValues(t, 2, l.Steps["login"].Count)
	require.InDelta(t, 9, l.Steps["login"].P50, 0.1)
	require.InDelta(t, 10, l.Kinds["create"].Max, 0.1)
	require.Zero(t, l.Actual.Count)
	require.Empty(t, l.Extra, "nothing is told twice")
}

// TestMergeStages: what two processes log of an excursion and of steps is added up like the rest,
// whichever phase a shared second has first.
func TestMergeStages(t *testing.T) {
	t.Parallel()
	count := func(n int64) map[string]int64 { return map[string]int64{"fetches": n, "attempts": n, "dropped": n} }
	part := func(measured, beyond int64) io.Reader {
		step := strings.Replace(interval(2000, "measure", count(measured), 3000), `"fetch_actual"`, `"step_login"`, 1)
		return strings.NewReader(strings.Join([]string{
			header(), interval(1000, "measure", count(measured), 5000), step, interval(2000, "excursion", count(beyond), 90_000),
			interval(3000, "excursion", count(beyond), 50_000), interval(3000, "measure", count(measured), 5000), summary(""),
		}, "\n") + "\n")
	}
	var merged bytes.Buffer
	parts, err := load.MergeLogs(&merged, []string{"a", "b"}, []io.Reader{part(2, 20), part(3, 30)})
	require.NoError(t, err)
	require.EqualValues(t, 9, parts[1].Fetches)
	l, err := loadtest.Parse(&merged, load.Plan{Duration: 3 * time.Second, Stages: []result.LoadStage{
		{At: 0, Seconds: 1.5, From: 5, To: 5},
		{At: 1.5, Seconds: 1, From: 50, To: 50, Excursion: true},
		{At: 2.5, Seconds: 0.5, From: 5, To: 5},
	}})
	require.NoError(t, err)
	require.Empty(t, l.Partial)
	require.Equal(t, [2]int64{15, 100}, [2]int64{l.Fetches, l.Excursion.Fetches})
	require.Equal(t, [2]int64{15, 100}, [2]int64{l.Dropped, l.Excursion.Dropped})
	require.EqualValues(t, 2, l.Steps["login"].Count)
	require.EqualValues(t, 4, l.Excursion.Actual.Count)
	require.EqualValues(t, 5, l.Stages[2].Fetches)
}
