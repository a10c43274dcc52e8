package pages

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/faults/record"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
)

// WriteTrackRecord writes record.json and record.md into dir, which must exist.
func WriteTrackRecord(dir string, r *record.Report) error {
	r = secret.Scrub(r)
	return writeMeasurement(dir, "record", r, trackRecord([]*record.Report{r}))
}

// WriteTrackRecordPage writes the page of some records to path.
func WriteTrackRecordPage(path string, reports []*record.Report) error {
	clean := make([]*record.Report, len(reports))
	for i, r := range reports {
		clean[i] = secret.Scrub(r)
	}
	return trackRecord(clean).WriteFile(path)
}

// trackRecord has a row for each bug and a column for each record.
func trackRecord(reports []*record.Report) *render.Document {
	d := &render.Document{}
	d.Title(1, "Track record: known bugs of OpenBao, found again")
	d.Say("What a test finds where a bug is known says what its silence is worth elsewhere. Each try has two OpenBao " +
		"and a PostgreSQL of its own. k of n is in how many of the tries that were decided the bug showed. A version that " +
		"does not have a bug is the control: it has to stay silent. Numbers are those of issues and pull requests of " +
		"openbao/openbao.")
	for _, r := range reports {
		d.Say("OpenBao %s: %s, %s. %s.", r.Server, r.Verdict, r.Started.Format(time.DateOnly), strings.Join(r.Reasons, "; "))
	}
	for _, part := range []struct {
		title  string
		public bool
	}{
		{"Public bugs", true},
		{"Found by Steamer", false},
	} {
		table := bugTable(reports, part.public)
		if len(table.Rows) > 0 {
			d.Title(2, "%s", part.title)
			d.Table(table)
		}
	}
	d.Title(2, "What showed them")
	for _, r := range reports {
		var shown []string
		for i := range r.Rows {
			if row := &r.Rows[i]; len(row.Proof) > 0 {
				shown = append(shown, fmt.Sprintf("%s: %s", render.Strong(row.ID), strings.Join(row.Proof, ". ")))
			}
			if row := &r.Rows[i]; row.Undecided > 0 {
				shown = append(shown, fmt.Sprintf("%s: %d tries say nothing: %s", render.Strong(row.ID), row.Undecided, row.Reason))
			}
		}
		d.Say("OpenBao %s:", r.Server)
		d.List(shown...)
	}
	for _, r := range reports {
		ending(d, nil, r.Reproduce)
	}
	return d
}

// bugTable has the bugs that are public, or those that are not.
func bugTable(reports []*record.Report, public bool) render.Table {
	table := render.Table{Head: []string{"bug", "what", "in versions"}}
	for _, r := range reports {
		table.Head = append(table.Head, "OpenBao "+r.Server)
	}
	table.Head = append(table.Head, "command")
	done := map[string]bool{}
	for _, r := range reports {
		for i := range r.Rows {
			row := &r.Rows[i]
			if done[row.ID] || len(row.Issues) > 0 != public {
				continue
			}
			done[row.ID] = true
			cells := []string{row.Numbers(), row.Title, row.Versions()}
			for _, other := range reports {
				cells = append(cells, cellOfBug(other, row.ID))
			}
			table.Add(append(cells, render.Literal(row.Command))...)
		}
	}
	return table
}

// cellOfBug is what became of a bug in a record.
func cellOfBug(r *record.Report, id string) string {
	i := slices.IndexFunc(r.Rows, func(row record.Row) bool { return row.ID == id })
	if i < 0 {
		return "not tried"
	}
	outcome := r.Rows[i].Outcome()
	if r.Rows[i].Found > 0 {
		return render.Strong(outcome)
	}
	return outcome
}
