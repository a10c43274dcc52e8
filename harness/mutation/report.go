package mutation

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Count returns how many outcomes have a status.
func Count(list []Outcome, status Status) int {
	n := 0
	for _, o := range list {
		if o.Status == status {
			n++
		}
	}
	return n
}

// Summary is one line about all outcomes.
func Summary(list []Outcome) string {
	total := 0.0
	for _, o := range list {
		total += o.Seconds
	}
	return fmt.Sprintf("%d mutants: %d killed, %d survived, %d explained, %d broken, in %.0f s",
		len(list), Count(list, Killed), Count(list, Survived), Count(list, Explained), Count(list, Broken), total)
}

// Markdown writes the outcomes as a page: what calls for work first, then by kind.
func Markdown(w io.Writer, list []Outcome, heading string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s.\n\n| mutant | breaks | outcome | by | seconds |\n|---|---|---|---|---|\n", heading,
		Summary(list))
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(x, y Outcome) int {
		switch {
		case x.Sound() == y.Sound():
			return strings.Compare(string(x.Mutant.Kind), string(y.Mutant.Kind))
		case y.Sound():
			return -1
		default:
			return 1
		}
	})
	for _, o := range sorted {
		by := o.Reason
		if o.By != "" {
			by = "`" + o.By + "`"
		}
		fmt.Fprintf(&b, "| `%s` (%s) | %s | %s | %s | %.1f |\n", o.Mutant.ID, o.Mutant.Kind, cell(o.Mutant.Breaks), o.Status,
			cell(by), o.Seconds)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell makes text safe for a table's cell.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
