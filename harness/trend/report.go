package trend

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Text prints the trends for a terminal, those with changes first.
func Text(w io.Writer, list []Series) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(heading(), "\t"))
	for _, s := range sorted(list) {
		fmt.Fprintln(table, strings.Join(s.row(), "\t"))
	}
	return table.Flush()
}

// Markdown prints the same for an issue; plots names the file of a series' plot, nil has none.
func Markdown(w io.Writer, list []Series, plots func(Series) string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Trends\n\n| %s |\n|%s\n", strings.Join(heading(), " | "), strings.Repeat("---|", len(heading())))
	for _, s := range sorted(list) {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(s.row(), " | "))
	}
	b.WriteString("\nA change is where the runs before and after are different by more than chance (E-divisive, p <= 0.001). It is a question, not a verdict.\n")
	if plots != nil {
		for _, s := range sorted(list) {
			if len(s.Points) > 1 {
				fmt.Fprintf(&b, "\n![%s](%s)\n", s.name(), plots(s))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sorted puts the series with changes first, else keeps the order.
func sorted(list []Series) []Series {
	var changed, rest []Series
	for _, s := range list {
		if len(s.Changes) > 0 {
			changed = append(changed, s)
		} else {
			rest = append(rest, s)
		}
	}
	return append(changed, rest...)
}

func heading() []string { return []string{"series", "metric", "runs", "skipped", "last", "changes"} }

func (s Series) name() string {
	return s.Metric + " of " + strings.Join(s.labels(), ", ")
}

func (s Series) row() []string {
	last, changes := "", "none"
	if n := len(s.Points); n > 0 {
		last = number(s.Points[n-1].Value) + " " + s.Unit
	}
	if n, least := len(s.Points), LeastRuns(); n < least {
		changes = fmt.Sprintf("too few runs to see a change (%d of at least %d)", n, least)
	}
	var texts []string
	for _, c := range s.Changes {
		texts = append(texts, fmt.Sprintf("%s (run %s, chart %s): %s to %s %s, × %.2f", c.First.At.Format(time.DateOnly),
			c.First.Run, c.First.Chart,
			number(c.Before), number(c.After), s.Unit, c.Ratio()))
	}
	if len(texts) > 0 {
		changes = strings.Join(texts, "; ")
	}
	return []string{
		strings.Join(s.labels(), ", "), s.Metric, strconv.Itoa(len(s.Points)), strconv.Itoa(s.Skipped), last, changes,
	}
}

// number prints three significant digits.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
