package attack_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/faults/record"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
)

// known is a track record of the release's OpenBao: three tries of each bug, found where the
// version has it and silent elsewhere.
func (d *dossier) known() *record.Report {
	r := &record.Report{
		Record: result.NewRecord(record.Kind), Server: d.runs[0].doc.Topologies[0].Versions["openbao"],
	}
	for _, bug := range record.Bugs() {
		has, err := bug.Has(r.Server)
		require.NoError(d.t, err)
		row := record.Row{ID: bug.ID, Issues: bug.Issues, Tries: 3}
		if has {
			row.Found = 3
		}
		r.Rows = append(r.Rows, row)
	}
	return r
}

// row is the first row of a bug that the version has, or does not have.
func row(r *record.Report, has bool) *record.Row {
	return &r.Rows[slices.IndexFunc(r.Rows, func(row record.Row) bool { return row.Found > 0 == has })]
}

// encode writes the record as a run does, with the verdict that follows from it.
func encode(t testing.TB, r *record.Report) ([]byte, error) {
	t.Helper()
	return json.MarshalIndent(record.Merge([]*record.Report{r})[0], "", " ")
}

// detectionAttacks are about the track record.
func detectionAttacks() []attack {
	return []attack{
		{
			name: "known bugs are found again, and nothing else", want: result.Pass,
			record: func(d *dossier) { d.detected = d.known() },
		},
		{
			rules: "detection", name: "a bug shows that the version does not have", want: result.Fail,
			says: "should not have it",
			record: func(d *dossier) {
				d.detected = d.known()
				row(d.detected, false).Found = 1
			},
		},
		{
			rules: "detection", name: "a bug that the version has stays silent", want: result.Inconclusive,
			says: "should have it",
			record: func(d *dossier) {
				d.detected = d.known()
				row(d.detected, true).Found = 0
			},
		},
		{
			rules: "detection", name: "the record was edited to say PASS", want: result.Inconclusive,
			says: "should have it",
			record: func(d *dossier) {
				d.detected = d.known()
				row(d.detected, true).Found = 0
				d.edits["record.json"] = func(data []byte) []byte {
					var r record.Report
					require.NoError(d.t, json.Unmarshal(data, &r))
					r.Verdict, r.Reasons = result.Pass, []string{"found again: all"}
					edited, err := json.Marshal(r)
					require.NoError(d.t, err)
					return edited
				}
			},
		},
		{
			rules: "detection", name: "only the easy bugs were looked for", want: result.Inconclusive, says: "not looked for",
			record: func(d *dossier) {
				d.detected = d.known()
				d.detected.Rows = d.detected.Rows[:3]
			},
		},
		{
			rules: "detection", name: "the record is of another OpenBao", want: refused, says: "one OpenBao at a time",
			record: func(d *dossier) {
				d.detected = d.known()
				d.detected.Server = "2.6.2"
			},
		},
		{
			rules: "detection", name: "no record was given, and it is asked for", want: result.Inconclusive,
			says:   "no track record",
			record: func(d *dossier) { d.policy.Required = append(d.policy.Required, gate.Detection) },
		},
	}
}
