package pages

import (
	"fmt"
	"strings"

	"gitlab.com/steamer/steamer/harness/faults/protocol"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
)

// WriteProtocol writes protocol.json and protocol.md into dir, which must exist.
func WriteProtocol(dir string, r *protocol.Report) error {
	r = secret.Scrub(r)
	return writeMeasurement(dir, "protocol", r, protocolDocument(r))
}

// protocolDocument has a table of each case: requests down, faults across.
func protocolDocument(r *protocol.Report) *render.Document {
	d := &render.Document{}
	d.Title(1, "Who can read what when requests fail: %s", r.Verdict)
	reasons(d, r.Record)
	d.Say("Each request of a documented sequence fails once in each way, the documented retry follows, and then every "+
		"job and user reads every secret. What they have to get is what was asked for last. A finding is about the documented "+
		"sequence of requests, not about a product. OpenBao %s, %s rows.", r.Server, render.Count(int64(len(r.Rows))))
	for _, part := range r.Parts {
		d.Title(2, "%s", part.Title)
		d.Say("Protocol %s. Source: %s.", render.Literal(part.ID), part.Source)
		var claims []string
		for _, c := range part.Claims {
			claims = append(claims, fmt.Sprintf("%s: %s. %s, in %d of %d rows.", render.Strong(c.ID), c.Text, c.Result,
				len(c.Shown), c.Of))
		}
		d.List(claims...)
		for _, c := range part.Cases {
			protocolCase(d, r, part.ID, c)
		}
	}
	for i := range r.Smallest {
		row := &r.Smallest[i]
		if i == 0 {
			d.Title(2, "The smallest bad case of each outcome")
		}
		d.Say("%s, %s:", render.Strong(row.Outcome), render.Literal(row.ID()))
		d.List(row.Story()...)
	}
	ending(d, r.NotMeasured, r.Reproduce)
	return d
}

func protocolCase(d *render.Document, r *protocol.Report, id string, c protocol.Summary) {
	d.Title(3, "%s: %s", c.ID, c.Title)
	given, then := "", ""
	if len(c.Before) > 0 {
		given = "After " + strings.Join(c.Before, "; ") + ". "
	}
	if len(c.Then) > 0 {
		then = " Afterwards " + strings.Join(c.Then, "; ") + "."
	}
	d.Say("%sDisturbed: %s. Repeated by %s.%s", given, render.Strong(c.Do), c.Retry, then)
	table := render.Table{Head: append([]string{"request"}, protocol.Faults()...)}
	var wrong []string
	rows := map[string][]string{} // by how they end
	number := 0
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Protocol != id || row.Case != c.ID {
			continue
		}
		if row.Outcome != protocol.Converged {
			ending := row.Outcome + ": " + strings.Join(row.Ending(), ". ")
			if rows[ending] == nil {
				wrong = append(wrong, ending)
			}
			rows[ending] = append(rows[ending], cellName(row))
		}
		if row.Number == 0 {
			continue
		}
		if row.Number != number {
			number = row.Number
			table.Add(append([]string{fmt.Sprintf("%d %s", row.Number, row.Step)}, make([]string, len(protocol.Faults()))...)...)
		}
		for column, fault := range protocol.Faults() {
			if fault == row.Fault {
				table.Rows[len(table.Rows)-1][column+1] = cellOf(row)
			}
		}
	}
	if len(table.Rows) > 0 {
		d.Table(table)
	}
	for i, ending := range wrong {
		wrong[i] = fmt.Sprintf("%s (%s)", ending, strings.Join(rows[ending], "; "))
	}
	d.List(wrong...)
}

func cellName(row *protocol.Row) string {
	if row.Number == 0 {
		return "without a fault"
	}
	return fmt.Sprintf("%d %s, %s", row.Number, row.Step, row.Fault)
}

func cellOf(row *protocol.Row) string {
	if row.Outcome == protocol.Converged {
		return row.Outcome
	}
	return render.Strong(row.Outcome)
}
