package doctor

import (
	"fmt"
	"io"
)

// Write writes what was found, with a hint where something is wrong.
func Write(w io.Writer, found []Finding) error {
	for _, f := range found {
		mark := "✓"
		if !f.OK {
			mark = "✗"
		}
		fmt.Fprintf(w, "%s %-22s %s\n", mark, f.Name, f.Detail)
		if f.Hint != "" {
			fmt.Fprintf(w, "  %-22s hint: %s\n", "", f.Hint)
		}
	}
	return nil
}
