package pages

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
)

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
		by := o.Reason
		if o.By != "" {
			by = render.Literal(o.By)
		}
		table.Add(fmt.Sprintf("%s (%s)", render.Literal(o.Mutant.ID), o.Mutant.Kind), o.Mutant.Breaks, string(o.Status), by,
			fmt.Sprintf("%.1f", o.Seconds))
	}
	d := &render.Document{}
	d.Title(1, "Mutants")
	d.Say("What %s found when each was last tried here: deliberate defects, each on a throw-away copy, and the scenario or "+
		"rule of %s that noticed. The mutants are data in %s; %s says how they are tried.", render.Literal("make mutants"),
		render.Literal("charts check"), render.Literal("scenarios/mutants"), render.Literal("steamer mutants --help"))
	d.Say("%s.", mutation.Summary(list))
	d.Table(table)
	return d.Markdown()
}
