package result_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// TestOldResultsStayReadable reads a result of November 2026, as a run of both topologies wrote it
// (its chart's path shortened). A field may be added to the schema; one that is there may neither
// go nor change its meaning.
func TestOldResultsStayReadable(t *testing.T) {
	t.Parallel()
	r, err := result.ReadFile("testdata/run-v1.json")
	require.NoError(t, err)
	require.Equal(t, "20261125-143138-fbc5", r.Run.ID)
	require.Equal(t, result.Pass, r.Verdict)
	require.Len(t, r.Topologies, 2)
	for _, top := range r.Topologies {
		passed, failed, skipped := top.Count()
		require.Equal(t, [3]int{18, 0, 0}, [3]int{passed, failed, skipped})
		require.EqualValues(t, 721, top.Load.Fetches)
		require.Len(t, top.Load.Series, 77)
		require.NotEmpty(t, top.Load.Intended.HDR)
		require.NotEmpty(t, top.Resources)
		_, ok := top.CPUPerFetch("openbao")
		require.True(t, ok)
	}
	again, err := result.Encode(r)
	require.NoError(t, err)
	_, err = result.Decode("again", again)
	require.NoError(t, err)
}
