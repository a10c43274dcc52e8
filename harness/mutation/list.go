package mutation

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteList writes a line for each mutant.
func WriteList(w io.Writer, list []Mutant) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, m := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%v\n", m.ID, m.Kind, m.Breaks, m.Caught)
	}
	return table.Flush()
}
