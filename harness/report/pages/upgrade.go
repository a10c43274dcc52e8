package pages

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

// WriteUpgrade writes upgrade.json, upgrade.md and junit.xml into dir, which must exist.
func WriteUpgrade(dir string, r *upgrade.Report) error {
	r = secret.Scrub(r)
	return errors.Join(writeMeasurement(dir, "upgrade", r, upgradeDocument(r)),
		render.WriteFile(filepath.Join(dir, "junit.xml"), func(w io.Writer) error { return upgradeJUnit(w, r) }))
}

// UpgradeMarkdown is the report in Markdown.
func UpgradeMarkdown(r *upgrade.Report) string { return upgradeDocument(secret.Scrub(r)).Markdown() }

// UpgradeText prints the report for a terminal.
func UpgradeText(w io.Writer, r *upgrade.Report) error {
	return upgradeDocument(secret.Scrub(r)).Text(w)
}

func upgradeDocument(r *upgrade.Report) *render.Document {
	d := &render.Document{}
	d.Title(1, "Upgrades in topology %s: %s", r.Topology, r.Verdict)
	d.Table(upgradeTable(r))
	upgradeNotes(d, r)
	if lines := timelines(r); len(lines) > 0 {
		d.Title(2, "Outages, second by second")
		d.Verbatim(lines...)
	}
	ending(d, nil, r.Reproduce)
	return d
}

// upgradeTable has a row for each edge, and one for each that was rolled back.
func upgradeTable(r *upgrade.Report) render.Table {
	measured := []string{"longest gap s", "sum s", "failed fetches", "budget s", "Secrets kept", "read back"}
	cells := confirmed
	if r.Predicted {
		measured, cells = nil, func(*upgrade.Confirmation) []string { return nil }
	}
	table := render.Table{Head: append(append([]string{"upgrade", "predicted", "pods"}, measured...), "verdict")}
	for i := range r.Edges {
		o := &r.Edges[i]
		predicted := "nothing lost"
		if n := count(o.Predicted.Findings, upgrade.Error); n > 0 {
			predicted = render.Plural(n, "error")
		}
		pods := "stay"
		if o.Predicted.Strategy != "" {
			pods = o.Predicted.Strategy
		}
		row := append([]string{o.From + " → " + o.To, predicted, pods}, cells(o.Confirmed)...)
		table.Add(append(row, string(o.Verdict))...)
		if o.RolledBack != nil {
			row := append([]string{o.To + " → " + o.From + ", rolled back", "–", o.RolledBack.Strategy},
				confirmed(o.RolledBack)...)
			table.Add(append(row, string(o.Verdict))...)
		}
	}
	return table
}

// confirmed are the cells of what a cluster showed: of both clients, one connection per fetch
// first.
func confirmed(c *upgrade.Confirmation) []string {
	if c == nil {
		return []string{"–", "–", "–", "–", "–", "–"}
	}
	both := func(cell func(i int) string) string {
		var cells []string
		for i := range c.Clients {
			cells = append(cells, cell(i))
		}
		return strings.Join(cells, ", ")
	}
	budget := "–"
	if c.Budget != nil {
		budget = fmt.Sprintf("%.1f", c.Budget.Longest)
	}
	return []string{
		both(func(i int) string { return fmt.Sprintf("%.1f", c.Clients[i].Longest) }),
		both(func(i int) string { return fmt.Sprintf("%.1f", c.Clients[i].Sum) }),
		both(func(i int) string { return fmt.Sprintf("%.1f %%", c.Clients[i].Failed) }),
		budget,
		fmt.Sprintf("%d of %d", c.Kept, c.Keys), fmt.Sprintf("%d of %d", c.Read, c.Secrets),
	}
}

// upgradeNotes writes why edges are not PASS, and which were not confirmed.
func upgradeNotes(d *render.Document, r *upgrade.Report) {
	skipped := map[string]int{}
	var order []string
	for _, o := range r.Edges {
		if len(o.Reasons) > 0 {
			d.Say("%s → %s: %s", o.From, o.To, o.Verdict)
			d.List(o.Reasons...)
		}
		if o.NotRolledBack != "" {
			d.Say("%s → %s was not rolled back: %s", o.From, o.To, o.NotRolledBack)
		}
		if o.Skipped != "" {
			if skipped[o.Skipped]++; skipped[o.Skipped] == 1 {
				order = append(order, o.Skipped)
			}
		}
	}
	if len(order) > 0 {
		d.Say("Predicted only:")
	}
	for i, why := range order {
		order[i] = render.Plural(skipped[why], "upgrade") + ": " + why
	}
	d.List(order...)
}

func count(findings []upgrade.Finding, severity upgrade.Severity) int {
	n := 0
	for _, f := range findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}
