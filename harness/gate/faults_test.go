package gate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/historytest"
	"gitlab.com/steamer/steamer/harness/result"
)

// broken writes the history of a chart under faults; change makes it another one.
func broken(t *testing.T, topology string, change func(*historytest.History)) string {
	t.Helper()
	r, err := result.ReadFile(runFile)
	require.NoError(t, err)
	h := historytest.Generate(historytest.Options{
		Seed: 7, Clients: 6, Keys: 12, Ops: 2000, Unknown: 0.05, Access: 0.2, Faults: 4,
	})
	h.Header.Chart, h.Header.Topology = &r.Topologies[0].Chart, topology
	if change != nil {
		change(h)
	}
	path := filepath.Join(t.TempDir(), history.FileName)
	require.NoError(t, os.WriteFile(path, h.Bytes(), 0o600))
	return path
}

// TestDecideOnFaults is TestDecide with histories of faults beside the rest.
func TestDecideOnFaults(t *testing.T) {
	t.Parallel()
	both := func(change func(*historytest.History)) []string {
		return []string{broken(t, "cloud-native", nil), broken(t, "cloud-native-hybrid", change)}
	}
	for name, tc := range map[string]decideCase{
		"all held": {more: both(nil), want: result.Pass},
		"one read is stale": {
			more: both(historytest.Overwrite), want: result.Fail, reason: "cloud-native-hybrid: C",
		},
		"one was killed": {
			more: both(func(h *historytest.History) { h.Incomplete = true }), want: result.Inconclusive,
			reason: "cloud-native-hybrid: the history has no last line",
		},
		"one topology only": {
			more: both(nil)[:1], want: result.Inconclusive,
			reason: "cloud-native-hybrid: no history of faults was given",
		},
		"required, and none": {
			require: []string{gate.Faults}, want: result.Inconclusive, reason: "no history of faults was given",
		},
		"without a fault": {
			more: both(func(h *historytest.History) { h.Events = nil }), want: result.Inconclusive,
			reason: "cloud-native-hybrid: the history has no fault",
		},
	} {
		t.Run(name, tc.decide)
	}
}

// TestFaultKindsShow: who reads the decision sees which kinds were drawn, and so what was left out.
func TestFaultKindsShow(t *testing.T) {
	t.Parallel()
	evidence, err := gate.Read(runFile, broken(t, "cloud-native", nil), broken(t, "cloud-native-hybrid", nil))
	require.NoError(t, err)
	asked := policy(t)
	asked.Required = append(asked.Required, gate.Faults)
	decision, err := gate.Decide(evidence, asked)
	require.NoError(t, err)
	i := slices.IndexFunc(decision.Criteria, func(c gate.Criterion) bool { return c.ID == gate.Faults })
	require.GreaterOrEqual(t, i, 0)
	require.Contains(t, decision.Criteria[i].Measured, "cloud-native: 4 faults (4 kill), ")
}

// TestHistoriesOfOthers: what is about processes, or another chart, decides nothing.
func TestHistoriesOfOthers(t *testing.T) {
	t.Parallel()
	processes := broken(t, "", func(h *historytest.History) { h.Header.Chart = nil })
	_, err := gate.Read(processes)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "says nothing about a chart")

	other := broken(t, "cloud-native", func(h *historytest.History) {
		chart := *h.Header.Chart
		chart.Digest = "sha256:other"
		h.Header.Chart = &chart
	})
	evidence, err := gate.Read(runFile, filepath.Dir(other))
	require.NoError(t, err)
	_, err = gate.Decide(evidence, policy(t))
	require.Equal(t, exit.Invalid, exit.CodeOf(err))

	raw, err := os.ReadFile(broken(t, "cloud-native", nil))
	require.NoError(t, err)
	cut := filepath.Join(t.TempDir(), history.FileName)
	require.NoError(t, os.WriteFile(cut, []byte(strings.Replace(string(raw), "w", "x", 1)), 0o600))
	_, err = gate.Read(cut)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}
