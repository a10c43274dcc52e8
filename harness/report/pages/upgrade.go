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
	return errors.Join(writeMeasurement(dir, "upgrade", r, UpgradeMarkdown(r)),
		writeFile(filepath.Join(dir, "junit.xml"), func(w io.Writer) error { return upgradeJUnit(w, r) }))
}

// UpgradeMarkdown is the report in Markdown.
func UpgradeMarkdown(r *upgrade.Report) string {
	r = secret.Scrub(r)
	t := &text{}
	t.line("# Upgrades in topology %s: %s\n", r.Topology, r.Verdict)
	t.WriteString(upgradeTable(r).Safe().Markdown())
	upgradeNotes(t, r, "- ")
	if lines := timelines(r); len(lines) > 0 {
		t.line("\n## Outages, second by second\n\n```text\n%s\n```", strings.Join(lines, "\n"))
	}
	t.end(nil, r.Reproduce)
	return t.String()
}

// UpgradeText prints the report for a terminal.
func UpgradeText(w io.Writer, r *upgrade.Report) error {
	r = secret.Scrub(r)
	if err := upgradeTable(r).Text(w); err != nil {
		return err
	}
	t := &text{}
	upgradeNotes(t, r, "  ")
	if lines := timelines(r); len(lines) > 0 {
		t.line("\n%s", strings.Join(lines, "\n"))
	}
	t.line("\nSteamer: %s", r.Verdict)
	_, err := io.WriteString(w, t.String())
	return err
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
func upgradeNotes(t *text, r *upgrade.Report, bullet string) {
	skipped := map[string][]string{}
	var order []string
	for _, o := range r.Edges {
		if len(o.Reasons) > 0 {
			t.line("\n%s → %s: %s", o.From, o.To, o.Verdict)
		}
		for _, reason := range o.Reasons {
			t.line("%s%s", bullet, render.Plain(reason))
		}
		if o.NotRolledBack != "" {
			t.line("\n%s → %s was not rolled back: %s", o.From, o.To, o.NotRolledBack)
		}
		if o.Skipped != "" {
			if skipped[o.Skipped] == nil {
				order = append(order, o.Skipped)
			}
			skipped[o.Skipped] = append(skipped[o.Skipped], o.From+" → "+o.To)
		}
	}
	for i, why := range order {
		if i == 0 {
			t.line("\nPredicted only:")
		}
		t.line("%s%s: %s", bullet, render.Plural(len(skipped[why]), "upgrade"), why)
	}
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
