package observe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

const page = `# HELP openbao_core_active core_active
# TYPE openbao_core_active gauge
openbao_core_active 0
openbao_core_active{cluster="x"} 1
# TYPE openbao_core_unsealed gauge
openbao_core_unsealed{cluster="x"} 1
# TYPE openbao_core_handle_request summary
openbao_core_handle_request{quantile="0.5"} NaN
openbao_core_handle_request_sum 700
openbao_core_handle_request_count 100
# TYPE openbao_core_leadership_lost summary
openbao_core_leadership_lost_sum 12
openbao_core_leadership_lost_count 2
# TYPE openbao_runtime_alloc_bytes gauge
openbao_runtime_alloc_bytes 2.097152e+06
# TYPE openbao_route_read_secrets_ summary
openbao_route_read_secrets__count this line is not even looked at
`

func TestParseExposition(t *testing.T) {
	t.Parallel()
	c, err := parseExposition([]byte(page))
	require.NoError(t, err)
	require.Equal(t, counters{requests: 100, handleMs: 700, active: true, unsealed: true, lost: 2, heap: 2 << 20}, c)
	for name, wrong := range map[string]string{
		"empty": "", "of something else": "up 1\n",
		"broken": "openbao_core_unsealed x\n", "an error page": "{\"errors\":[]}",
	} {
		_, err := parseExposition([]byte(wrong))
		require.Error(t, err, name)
	}
}

// FuzzParseExposition: whatever a pod answers, it is a reading or an error.
func FuzzParseExposition(f *testing.F) {
	f.Add([]byte(page))
	f.Add([]byte("x_core_unsealed 1\n# TYPE x_core_unsealed summary\n"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parseExposition(data) })
}

// TestServerFold turns counters into rates and means, and starts again when the process does.
func TestServerFold(t *testing.T) {
	t.Parallel()
	s := &serverSeries{of: map[string]*podMetrics{}}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pod := podRef{namespace: "n", name: "a"}
	fold := func(second int, c counters) { s.fold(pod, start.Add(time.Duration(second)*time.Second), c) }
	fold(0, counters{requests: 100, handleMs: 500})
	fold(2, counters{requests: 120, handleMs: 600, lost: 1, heap: 3 << 20, leases: 7, active: true})
	fold(2, counters{requests: 500}) // at the same time: no rate
	fold(3, counters{requests: 5})   // the process began again
	fold(4, counters{requests: 5})
	all := s.series()
	require.Len(t, all, 1)
	require.Equal(t, []result.ServerSample{
		{At: start.Add(2 * time.Second), Requests: 10, HandleMs: 5, LeadershipLost: 1, HeapMiB: 3, Leases: 7, Active: true},
		{At: start.Add(4 * time.Second)},
	}, all[0].Samples)
}

// TestDatabaseFold turns counters into rates; counters that were reset give none.
func TestDatabaseFold(t *testing.T) {
	t.Parallel()
	w := &databaseWatcher{}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for second, now := range []tally{
		{Calls: 10, Commits: 1}, {
			Calls: 17, Rows: 3, Exec: 2.5, Commits: 2, Rollbacks: 4, Sessions: 1, Connections: 5,
			Running: 2, InTx: 1,
		}, {}, {Calls: 1},
	} {
		w.fold(start.Add(time.Duration(second)*time.Second), now)
	}
	require.Equal(t, []result.DatabaseSample{
		{
			At: start.Add(time.Second), Statements: 7, Rows: 3, ExecMs: 2.5, Commits: 1, Rollbacks: 4, Sessions: 1,
			Connections: 5, Running: 2, InTx: 1,
		},
		{At: start.Add(3 * time.Second), Statements: 1},
	}, w.out.Samples)
}

func TestDifference(t *testing.T) {
	t.Parallel()
	before := map[string]statement{"1": {Calls: 10, Exec: 5, Rows: 1}, "2": {Calls: 3}, "3": {Calls: 9, Exec: 9}}
	after := map[string]statement{
		"1": {Query: "SELECT  a\n FROM b WHERE c = $1", Calls: 12, Exec: 6, Rows: 4}, "2": {Query: "SELECT 1", Calls: 3},
		"3": {Query: "begin isolation level repeatable read", Calls: 2, Exec: 4},
		"4": {Query: "ALTER ROLE x PASSWORD 'hunter2'", Calls: 1},
	}
	require.Equal(t, []result.Statement{
		{Query: "BEGIN", Calls: 2, ExecMs: 4},
		{Query: "SELECT a FROM b WHERE c = $1", Calls: 2, Rows: 3, ExecMs: 1},
		{Query: "ALTER", Calls: 1},
	}, difference(before, after))
	many := map[string]statement{}
	for i := range 100 {
		many[string(rune('A'+i))] = statement{Query: "SELECT 1", Calls: 1}
	}
	require.Len(t, difference(nil, many), result.MaxStatements)
	require.Empty(t, presentable(" "))
	require.Equal(t, "'it''s'", literal("it's"))
}
