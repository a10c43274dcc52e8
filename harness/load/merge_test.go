package load_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/result"
)

// dealt is one recording of fetches, whole and dealt out to n processes at random: the parts
// together hold what the whole holds.
func dealt(n, seconds int) (whole string, parts []string) {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	lines := make([][]string, n)
	all := []string{header()}
	for i := range lines {
		lines[i] = []string{share(load.Segment(i, n))}
	}
	for s := range seconds {
		phase := "measure"
		if s < 2 {
			phase = "warmup"
		}
		var together []int64
		each := make([][]int64, n)
		for range random.IntN(200) {
			micros := int64(1000 * (1 + random.ExpFloat64()*20))
			i := random.IntN(n)
			together, each[i] = append(together, micros), append(each[i], micros)
		}
		ms := int64(1_000_000 + 1000*s)
		if len(together) > 0 {
			all = append(all, interval(ms, phase, map[string]int64{
				"fetches":    int64(len(together)),
				"status_200": int64(len(together)),
			}, together...))
		}
		for i, micros := range each {
			if len(micros) > 0 {
				lines[i] = append(lines[i], interval(ms, phase, map[string]int64{
					"fetches":    int64(len(micros)),
					"status_200": int64(len(micros)),
				}, micros...))
			}
		}
	}
	for i := range lines {
		parts = append(parts, strings.Join(append(lines[i], summary("")), "\n")+"\n")
	}
	return strings.Join(append(all, summary("")), "\n") + "\n", parts
}

func readers(parts []string) (names []string, logs []io.Reader) {
	for i, part := range parts {
		names, logs = append(names, fmt.Sprintf("k6-%d", i)), append(logs, strings.NewReader(part))
	}
	return names, logs
}

// TestMergeIsExact: what several processes recorded, merged, equals what one would have recorded,
// to the last bucket.
func TestMergeIsExact(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			whole, parts := dealt(n, 30)
			want, err := loadtest.Parse(strings.NewReader(whole), plan())
			require.NoError(t, err)
			var merged bytes.Buffer
			names, logs := readers(parts)
			found, err := load.MergeLogs(&merged, names, logs)
			require.NoError(t, err)
			got, err := loadtest.Parse(iotest.OneByteReader(&merged), plan())
			require.NoError(t, err)
			require.Equal(t, 20*n, got.Generator.MaxVUs)
			want.Generator.MaxVUs = got.Generator.MaxVUs
			require.Equal(t, want, got)
			require.Len(t, found, n)
			sum := int64(0)
			for i, part := range found {
				sum += part.Fetches
				require.Equal(t, load.Segment(i, n), part.Segment)
				require.Empty(t, part.Problem)
			}
			require.Equal(t, want.Fetches, sum)
		})
	}
}

// TestMergeStreams: a second is written as soon as all processes are beyond it, and not before.
func TestMergeStreams(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	rec := &load.Recorder{}
	var seen []int64
	rec.OnInterval = func(iv result.Interval, _ int64) { seen = append(seen, iv.Fetches) }
	m := load.NewMerger(io.MultiWriter(&out, rec), "a", "b")
	var messages bytes.Buffer
	a, b := m.Part(0, nil), m.Part(1, &messages)
	say := func(w io.Writer, lines ...string) {
		_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
		require.NoError(t, err)
	}
	one := map[string]int64{"fetches": 1}
	say(a, header(), interval(1000, "measure", one, 5), interval(2000, "measure", one, 5))
	require.Empty(t, seen)
	say(b, "WARN something", header(), interval(1000, "measure", one, 5))
	require.Empty(t, seen, "b may still have more of second 1")
	say(b, interval(3000, "measure", one, 5))
	require.Equal(t, []int64{2}, seen)
	say(a, summary(""))
	require.Equal(t, []int64{2, 1}, seen, "a has ended: only b is waited for")
	require.NoError(t, m.End(1))
	require.Equal(t, []int64{2, 1, 1}, seen)
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	require.Equal(t, "WARN something\n", messages.String())
	l, err := rec.Finish(plan())
	require.NoError(t, err)
	require.Equal(t, "k6 stopped before the end: b: no summary: it was killed or could not write", l.Partial)
	require.Zero(t, m.Parts()[1].LateSeconds, "b began with a")
}

// TestMergeProblems: a process whose log is incomplete or wrong makes the merged log partial,
// names it, and leaves the others' numbers.
func TestMergeProblems(t *testing.T) {
	t.Parallel()
	good := strings.Join([]string{
		header(), interval(1000, "measure", map[string]int64{"fetches": 2, "dropped": 1}, 5, 6),
		summary(""),
	}, "\n") + "\n"
	for name, tc := range map[string]struct{ log, want string }{
		"nothing":       {"", "it wrote no log"},
		"only messages": {"ERRO no such file\n", "it wrote no log"},
		"cut short":     {good[:len(good)-20], "no summary"},
		"stopped": {
			header() + "\n" + summary("signal: terminated") + "\n",
			"it stopped before the end: signal: terminated",
		},
		"newer":        {`{"v":2,"kind":"header","unit":"us"}` + "\n", "format version 2"},
		"no header":    {`{"v":1,"kind":"interval"}` + "\n", "where the header"},
		"other unit":   {`{"v":1,"kind":"header","unit":"ns"}` + "\n", `"us"`},
		"unknown kind": {header() + "\n" + `{"v":1,"kind":"note"}` + "\n", "unknown kind"},
		"backwards": {
			header() + "\n" + interval(5000, "measure", nil) + "\n" + interval(4000, "measure", nil) + "\n",
			"after one at",
		},
		"after the end":  {good + interval(9000, "measure", nil) + "\n", "after the summary"},
		"no JSON":        {header() + "\n" + `{"v":` + "\n", "not k6 interval output"},
		"an endless one": {strings.Repeat("x", 5<<20), "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var merged bytes.Buffer
			names, logs := readers([]string{good, tc.log})
			parts, err := load.MergeLogs(&merged, names, logs)
			require.NoError(t, err)
			require.Empty(t, parts[0].Problem)
			require.Contains(t, parts[1].Problem, tc.want)
			l, err := loadtest.Parse(&merged, plan())
			require.NoError(t, err)
			require.Contains(t, l.Partial, "k6-1: ")
			require.Contains(t, l.Partial, tc.want)
			require.GreaterOrEqual(t, l.Fetches, int64(2))
		})
	}
	t.Run("histograms that do not fit", func(t *testing.T) {
		t.Parallel()
		other := strings.Replace(good, `"fetch_actual":"`, `"fetch_actual":"!`, 1)
		names, logs := readers([]string{good, other})
		_, err := load.MergeLogs(io.Discard, names, logs)
		require.ErrorContains(t, err, "second 1 of phase measure: fetch_actual")
	})
	t.Run("a log that cannot be read", func(t *testing.T) {
		t.Parallel()
		_, err := load.MergeLogs(io.Discard, []string{"x"}, []io.Reader{iotest.ErrReader(io.ErrNoProgress)})
		require.ErrorIs(t, err, io.ErrNoProgress)
	})
}

func FuzzMerge(f *testing.F) {
	whole, parts := dealt(2, 4)
	f.Add(whole, parts[0])
	f.Add(parts[0], parts[1])
	f.Fuzz(func(t *testing.T, a, b string) {
		var merged bytes.Buffer
		names, logs := readers([]string{a, b})
		if _, err := load.MergeLogs(&merged, names, logs); err != nil {
			return
		}
		_, _ = loadtest.Parse(&merged, plan())
	})
}

func TestSegments(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0:1", load.Segment(0, 1))
	require.Equal(t, []string{"0:1/3", "1/3:2/3", "2/3:1"}, []string{
		load.Segment(0, 3), load.Segment(1, 3),
		load.Segment(2, 3),
	})
}
