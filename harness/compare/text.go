package compare

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Text prints a comparison for a terminal: the verdict with its reasons, then the numbers behind
// it.
func Text(w io.Writer, c *Comparison) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: B against A\n", c.Verdict)
	for _, r := range c.Reasons {
		fmt.Fprintf(&b, "  - %s\n", r)
	}
	fmt.Fprintf(&b, "\nA  %s\nB  %s\n", c.A.Description, c.B.Description)
	fmt.Fprintf(&b, "%s\n\n", c.setting())
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(heading(), "\t"))
	for i := range c.Metrics {
		fmt.Fprintln(table, strings.Join(c.Metrics[i].row(), "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, line := range c.notes() {
		fmt.Fprintln(&b, line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown prints the same for a merge request.
func Markdown(w io.Writer, c *Comparison) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s: B against A\n\n", c.Verdict)
	for _, r := range c.Reasons {
		fmt.Fprintf(&b, "- %s\n", cell(r))
	}
	fmt.Fprintf(&b, "\n| arm | what |\n|---|---|\n| A | %s |\n| B | %s |\n\n%s\n\n", cell(c.A.Description),
		cell(c.B.Description), c.setting())
	head := heading()
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for i := range c.Metrics {
		row := c.Metrics[i].row()
		for j := range row {
			row[j] = cell(row[j])
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprintln(&b)
	for _, line := range c.notes() {
		fmt.Fprintf(&b, "%s\n\n", line)
	}
	fmt.Fprintf(&b, "Repeat: `%s`\n", c.Reproduce)
	_, err := io.WriteString(w, b.String())
	return err
}

// cell keeps text from ending a Markdown table's cell.
func cell(s string) string { return strings.NewReplacer("|", "\\|", "\n", " ").Replace(s) }

// setting is one line on the design and what came of it.
func (c *Comparison) setting() string {
	d := c.Design
	discarded, _ := Discarded(c.Pairs)
	s := fmt.Sprintf("%s, %s at %g fetches/s, slices of %gs after %gs: %d pairs", d.Where, d.Mode, d.Rate, d.Slice,
		d.Warmup, len(c.Pairs))
	if discarded > 0 {
		s += fmt.Sprintf(", %d discarded", discarded)
	}
	if n := len(c.Looks); n > 0 {
		s += fmt.Sprintf("; judged at look %d of at most %d, each bound at a level of %.4f", n, looks(d), c.Looks[n-1].Level)
	}
	if !c.Finished.IsZero() {
		s += "; " + c.Finished.Sub(c.Started).Round(time.Second).String()
	}
	return s
}

func looks(d Design) int { return (d.MaxPairs + d.LookEvery - 1) / d.LookEvery }

func heading() []string {
	return []string{"metric", "A median", "B median", "B/A", "interval", "margin", "MDE", "noise", "change", "verdict"}
}

// row is a metric as text.
func (m *Metric) row() []string {
	name := m.Name
	if m.Pairs == 0 {
		return []string{name, "", "", "", "", "", "", "", "", string(m.Verdict) + ": " + m.Reason}
	}
	verdict, margin, mde := string(m.Verdict), percent(m.Margin), "∞"
	switch {
	case !m.Gate:
		verdict, margin = "informational", ""
		if m.Reason != "" {
			verdict += ": " + m.Reason
		}
	case m.Quarantine != "":
		verdict += ", in quarantine: " + m.Quarantine
	}
	if m.MDE != nil {
		mde = percent(*m.MDE)
	}
	return []string{
		name, number(m.A) + " " + m.Unit, number(m.B) + " " + m.Unit, fmt.Sprintf("%.3f", m.Ratio), m.Range(), margin, mde,
		fmt.Sprintf("%s (%s)", m.Noise, percent(m.CV)), m.Change, verdict,
	}
}

// number prints three significant digits.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// notes explains what is not in the table.
func (c *Comparison) notes() []string {
	out := []string{
		"",
		"B/A is the Hodges-Lehmann estimate over pairs; the interval is not corrected for the number of metrics, the verdict is (Holm).",
		"MDE is the difference that this comparison would have shown in 4 of 5 cases. A verdict needs the whole interval on one side of the margin.",
	}
	out = append(out, c.Notes...)
	for _, m := range c.Metrics {
		if m.Gate && m.Missing != "" {
			out = append(out, m.Name+": "+m.Missing)
		}
	}
	for _, o := range c.Outcomes {
		if o.TotalA+o.TotalB > 0 {
			out = append(out,
				fmt.Sprintf("%s: %d with A and %d with B; more with A in %d, more with B in %d, with both alike in %d of %d pairs (p after Holm %.4f): %s",
					o.Title, o.TotalA, o.TotalB, o.OnlyA, o.OnlyB, o.Both, o.Pairs, o.PHolm, o.Verdict))
		}
	}
	if why := discards(c.Pairs); why != "" {
		out = append(out, "Discarded pairs: "+why)
	}
	out = append(out, c.functionalNotes()...)
	for _, n := range c.NotMeasured {
		out = append(out, "Not measured: "+n)
	}
	return out
}
