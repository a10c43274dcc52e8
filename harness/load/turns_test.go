package load_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
)

func byTurns() load.Turns {
	return load.Turns{
		Order: "ABBAABBAAB", Rate: 2, Gap: 100 * time.Millisecond, Targets: [2]string{"http://a", "http://b"},
		Profile: load.Profile{Duration: document.Duration(time.Second)},
	}
}

// logOf is the log of slices that began at a time, two fetches each, of which B's take 10 ms
// longer.
func logOf(t load.Turns, began time.Time) []string {
	lines := []string{header()}
	for i, arm := range t.Order {
		at := began.Add(time.Duration(i) * 1100 * time.Millisecond).Truncate(time.Second)
		us := int64(20_000)
		if arm == 'B' {
			us = 30_000
		}
		lines = append(lines, interval(at.UnixMilli(), fmt.Sprintf("%04d", i), map[string]int64{
			"fetches": 2, "status_200": 2,
			"failed": int64(i % 2),
		}, us, us))
	}
	return append(lines, summary(""))
}

// TestTurns takes a log apart, and finds when the slices began between the log's whole seconds.
func TestTurns(t *testing.T) {
	t.Parallel()
	turns := byTurns()
	for _, fraction := range []int{0, 130, 450, 999} {
		began := time.Unix(1000, int64(fraction)*1e6).UTC()
		loads, err := turns.Parse(strings.NewReader(strings.Join(logOf(turns, began), "\n") + "\n"))
		require.NoError(t, err)
		require.Len(t, loads, 10)
		for i, l := range loads {
			require.Equal(t, "http://"+strings.ToLower(turns.Order[i:i+1]), l.Target)
			require.Equal(t, []int64{2, int64(i % 2)}, []int64{l.Fetches, l.Failed})
			require.InDelta(t, 2, l.AchievedRate, 1e-9)
			require.InDelta(t, map[byte]float64{'A': 20, 'B': 30}[turns.Order[i]], l.Actual.P50, 0.1)
			require.Empty(t, l.Partial)
			require.WithinDuration(t, began.Add(time.Duration(i)*1100*time.Millisecond), l.Start, 101*time.Millisecond)
		}
	}
}

func TestTurnsRefuse(t *testing.T) {
	t.Parallel()
	turns := byTurns()
	good := logOf(turns, time.Unix(1000, 0))
	for name, tc := range map[string]struct{ log, want string }{
		"no slice":  {strings.Join(append(good[:1:1], interval(1_000_000, "0010", nil)), "\n"), `line 2: phase "0010"`},
		"a phase":   {strings.Join(append(good[:1:1], interval(1_000_000, "measure", nil)), "\n"), `phase "measure"`},
		"no header": {strings.Join(good[1:], "\n"), "line 1"},
		"cut":       {strings.Join(good, "\n")[:200], "line 2"},
		"empty":     {"", "slice 0: k6's interval output is empty"},
	} {
		_, err := turns.Parse(strings.NewReader(tc.log))
		require.ErrorContains(t, err, tc.want, name)
	}
	loads, err := turns.Parse(strings.NewReader(strings.Join(good[:len(good)-1], "\n")))
	require.NoError(t, err)
	require.Contains(t, loads[9].Partial, "no summary", "k6 was killed: every slice says so")
	turns.Order = "ABC"
	_, err = load.Runner{}.Turns(t.Context(), turns)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	turns.Order = "AB"
	_, err = load.Runner{Binary: "/nowhere"}.Turns(t.Context(), turns)
	require.Equal(t, exit.Environment, exit.CodeOf(err))
}
