package render

import (
	"io"
	"strings"
	"text/tabwriter"
)

// Table is rows of text below a heading.
type Table struct {
	Head []string
	Rows [][]string
}

// Add appends a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Markdown is the table in Markdown.
func (t Table) Markdown() string {
	var b strings.Builder
	line := func(cells []string) {
		b.WriteString("|")
		for _, cell := range cells {
			b.WriteString(" " + markdownOf(cell) + " |")
		}
		b.WriteString("\n")
	}
	line(t.Head)
	b.WriteString("|" + strings.Repeat("---|", len(t.Head)) + "\n")
	for _, row := range t.Rows {
		line(row)
	}
	return b.String()
}

// Text writes the table for a terminal, in columns.
func (t Table) Text(w io.Writer) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = textOf(cell)
		}
		if _, err := io.WriteString(columns, strings.Join(cells, "\t")+"\n"); err != nil {
			return err
		}
	}
	return columns.Flush()
}
