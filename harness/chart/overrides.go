package chart

import (
	"helm.sh/helm/v3/pkg/strvals"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/secret"
)

// ReadOverrides merges values files and then assigns, in the syntax and with the effect of Helm's
// --set: an assignment changes what the files and the assignments before it have made, so that
// list[1].key=value leaves the rest of the list alone. What sensitive keys hold is withheld from
// then on. Errors are of code exit.Invalid.
func ReadOverrides(files, assignments []string) (map[string]any, error) {
	merged := map[string]any{}
	for _, path := range files {
		values, err := ReadValues(path)
		if err != nil {
			return nil, err
		}
		merged = Merge(merged, values)
	}
	for _, assignment := range assignments {
		if secret.IsWithheld(assignment) {
			return nil, exit.Invalidf("--set "+assignment, "put the value in place of "+secret.Withheld,
				"it comes from a report, which does not hold the value")
		}
		err := strvals.ParseInto(assignment, merged)
		secret.LearnValues(merged)
		if err != nil {
			return nil, exit.Invalidf("--set "+secret.Assignment(assignment), "use helm's syntax, key.path=value", "%w", err)
		}
	}
	return merged, nil
}
