package report

import (
	"strings"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// costs are what a fetch and a tenant cost on a topology; nil where nothing was derived, as in
// results of before November 2026.
func costs(t *result.Topology) []row {
	if t.Cost == nil {
		return nil
	}
	var out []row
	for _, c := range t.Cost.Table() {
		cell := notMeasured + ": " + c.Reason
		if c.Value != nil {
			cell = strings.TrimSpace(render.Number(*c.Value) + " " + c.Unit)
		}
		out = append(out, row{Label: c.Title, Cells: []string{cell}})
	}
	return out
}

// statements is the cell about PostgreSQL's statements per fetch.
func statements(t *result.Topology, _ *result.Load) string {
	if t.Cost == nil || t.Cost.Statements == nil {
		return notMeasured
	}
	return render.Number(*t.Cost.Statements)
}
