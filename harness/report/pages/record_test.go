package pages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/faults/record"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestTrackRecordPage: docs/track-record.md is what the records beside it say. Write it again with
// steamer faults record --from docs/track-record/… --markdown docs/track-record.md.
func TestTrackRecordPage(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../docs/track-record/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var reports []*record.Report
	for _, file := range files {
		r, err := record.ReadFile(file)
		require.NoError(t, err)
		reports = append(reports, r)
	}
	path := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, WriteTrackRecordPage(path, record.Merge(reports)))
	want, err := os.ReadFile("../../../docs/track-record.md")
	require.NoError(t, err)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// TestTrackRecord: each version has a column, and what was found stands out.
func TestTrackRecord(t *testing.T) {
	t.Parallel()
	report := func(version string, rows ...record.Row) *record.Report {
		return &record.Report{Record: result.NewRecord(record.Kind), Server: version, Rows: rows}
	}
	found := record.Row{
		ID: "a", Title: "It breaks.", Issues: []int{7}, Advisory: "GHSA-x", Fixed: "2.5.0", Expected: true,
		Command: "steamer a",
		Tries:   5, Found: 2, Proof: []string{"status 500"},
	}
	fixed := found
	fixed.Expected, fixed.Found, fixed.Proof = false, 0, nil
	own := record.Row{
		ID: "b", Title: "It lingers.", Expected: true, Command: "steamer b", Tries: 3, Undecided: 3,
		Reason: "no answer",
	}
	page := trackRecord([]*record.Report{report("2.4.0", found, own), report("2.6.2", fixed)}).Markdown()
	page = strings.ReplaceAll(page, "\u200b", "") // so that no number becomes a link to another project's issue
	require.Contains(t, page, "| #7, GHSA-x | It breaks. | before 2.5.0 | **2 of 5** | "+
		"0 of 5: not reproducible with this version | `steamer a` |")
	require.Contains(t, page, "| none | It lingers. | all that were tried | not decided | not tried | `steamer b` |")
	require.Contains(t, page, "**a**: status 500")
	require.Contains(t, page, "no answer")
}

// TestMerge: tries of one version add up, and those of another stay apart.
func TestMerge(t *testing.T) {
	t.Parallel()
	row := func(tries, found int, proof ...string) record.Row {
		return record.Row{ID: "a", Issues: []int{1}, Expected: true, Tries: tries, Found: found, Proof: proof}
	}
	report := func(version string, rows ...record.Row) *record.Report {
		return &record.Report{Record: result.NewRecord(record.Kind), Server: version, Rows: rows}
	}
	other := record.Row{ID: "b", Tries: 1}
	one := report("2.4.0", row(5, 0))
	merged := record.Merge([]*record.Report{one, report("2.6.2", other), report("2.4.0", row(10, 3, "x"), other)})
	require.Len(t, merged, 2)
	require.Equal(t, "3 of 15", merged[0].Rows[0].Outcome())
	require.Equal(t, []string{"x"}, merged[0].Rows[0].Proof)
	require.Len(t, merged[0].Rows, 2)
	require.Equal(t, result.Pass, merged[0].Verdict)
	require.Len(t, merged[1].Rows, 1)
	require.Equal(t, "0 of 5: not found", one.Rows[0].Outcome(), "the reports stay as they are")

	known := record.Bugs()[0]
	old := record.Row{ID: known.ID, Title: "An old title.", Tries: 1, Found: 1}
	now := record.Merge([]*record.Report{report("2.4.0", old)})[0]
	require.Equal(t, known.Title, now.Rows[0].Title)
	require.Equal(t, result.Pass, now.Verdict, "the version has it, as the table says now")
}
