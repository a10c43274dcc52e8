package deadlines

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Text writes a report for people.
func Text(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Verdict)
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	b.WriteString("\n")
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tREVOKED BY\tLEADER\tTRIALS\tLAST GRANT AFTER THE ACKNOWLEDGEMENT")
	for i := range r.Rows {
		row := &r.Rows[i]
		leader, deadline := "awake", row.Deadline()
		if row.Slept {
			leader = "slept"
		}
		if row.Slept && row.Late > 0 {
			deadline += fmt.Sprintf(", up to %.0f ms after it woke", row.LastMillis)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", row.Kind, row.Revokes, leader, row.Trials, deadline)
	}
	_ = table.Flush() // a builder takes everything
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Note != "" {
			fmt.Fprintf(&b, "%s: %s\n", row.Kind, row.Note)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
