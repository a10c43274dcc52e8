package protocol

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// TestRun disturbs a delete on a real OpenBao and PostgreSQL, in each way: jobs of the deleted
// secret's environment read the secret that gets its name in another, and with the repair they do
// not.
func TestRun(t *testing.T) {
	t.Parallel()
	protocols, err := Read()
	require.NoError(t, err)
	o := Options{
		Protocols: protocols, Parallel: 1, Seed: 1, Progress: func(line string) { t.Log(line) },
		Only: []string{"gitlab/delete-create/2-*", "repaired/delete-create/5-*", "gitlab/permit-less/3-*/answer-lost"},
	}
	require.NoError(t, o.Validate())
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, result.Fail, r.Verdict, "%v", r.Reasons)
	require.Len(t, r.Rows, 3+4+4+1)
	require.NotEmpty(t, r.Server)
	for _, row := range r.Rows {
		require.NotContains(t, []string{NotJudged, serverLost}, row.Outcome, "%s: %s", row.ID(), row.Reason)
		if row.Protocol == "repaired" || row.Number == 0 || row.Case == "permit-less" {
			require.Equal(t, Converged, row.Outcome, "%s: %v", row.ID(), row.Story())
		}
	}
	require.Equal(t, Converged, rowOf(t, r, "gitlab/delete-create/2-delete-value-and-metadata/request-lost").Outcome)
	lost := rowOf(t, r, "gitlab/delete-create/2-delete-value-and-metadata/answer-lost")
	require.Equal(t, exposed, lost.Outcome)
	require.True(t, slices.ContainsFunc(lost.Wrong, func(a Access) bool {
		return a == Access{Who: "job of production, main", Secret: "X", Wanted: "nothing", Gets: "value 2"}
	}), "%v", lost.Wrong)
}
