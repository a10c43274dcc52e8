package pages

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
)

const mutantsHeading = `# Mutants

What ` + "`make mutants`" + ` found when each was last tried here: deliberate defects, each on a throw-away copy, and the scenario or rule of ` + "`charts check`" + ` that noticed. The mutants are data in
` + "`scenarios/mutants`" + `; ` + "`steamer mutants --help`" + ` says how they are tried.

`

// Mutants is the page of the outcomes of mutants: what needs work first, then by kind.
func Mutants(list []mutation.Outcome) string {
	list = secret.Scrub(list)
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(x, y mutation.Outcome) int {
		switch {
		case x.Sound() == y.Sound():
			return strings.Compare(string(x.Mutant.Kind), string(y.Mutant.Kind))
		case y.Sound():
			return -1
		default:
			return 1
		}
	})
	table := render.Table{Head: []string{"mutant", "breaks", "outcome", "by", "seconds"}}
	for _, o := range sorted {
		by := render.Cell(o.Reason)
		if o.By != "" {
			by = render.Code(o.By)
		}
		table.Add(fmt.Sprintf("%s (%s)", render.Code(o.Mutant.ID), o.Mutant.Kind), render.Cell(o.Mutant.Breaks),
			string(o.Status), by, fmt.Sprintf("%.1f", o.Seconds))
	}
	return mutantsHeading + mutation.Summary(list) + ".\n\n" + table.Markdown()
}
