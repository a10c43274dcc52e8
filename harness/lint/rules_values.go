package lint

import "fmt"

var valuesRules = []Rule{
	{
		ID: "values/dead", Title: "every value has an effect", Severity: Warning,
		Protects: "A value that changes nothing is a promise that the chart does not keep.",
		Hint:     "render it, remove it, or set it in a ci/*-values.yaml where it matters",
		Detail: "Changes each key of values.yaml, by its type and schema, in every base case, in the cases with " +
			"neighbouring switches turned on and with as many switches on as render together, and compares the renders. A " +
			"key that can be changed and never changes a render is dead. What only a parent chart or NOTES.txt reads looks " +
			"dead too, and what takes certain words only, unless a ci values file sets it. Where no change renders, that is " +
			"information.",
		chart: dead,
	},
	{
		ID: "values/unexercised", Title: "values that no test sets", Severity: Info,
		Protects: "What no topology and no ci values file sets is rendered with its default only.",
		Hint:     "set it in a ci/*-values.yaml",
		Detail: "Counts the keys of values.yaml that neither the topologies' values nor a ci/*-values.yaml nor the " +
			"user's values set.",
		chart: unexercised,
	},
}

func dead(s *subject) []Finding {
	var all []Finding
	for _, key := range s.coverage.Dead {
		all = append(all, s.aboutValue(key, "changes nothing in any render that was tried"))
	}
	if s.cut.Load() {
		all = append(all, Finding{
			Severity: Info, File: "values.yaml", Message: "the chart is so big that not every switch and key was tried",
			Hint: "check the sub-chart alone, or leave --values out that turn much on",
		})
	}
	for _, key := range s.coverage.Mistyped {
		finding := s.aboutValue(key, "does one thing in a values file, where Helm reads a float, and another with --set, "+
			"which gives an integer")
		finding.Hint = "convert it in the template: int64, or int"
		all = append(all, finding)
	}
	for _, key := range s.coverage.Untried {
		finding := s.aboutValue(key, "no other value was found that renders, so that its effect is not known")
		finding.Severity, finding.Hint = Info, "a ci/*-values.yaml that sets it shows how"
		all = append(all, finding)
	}
	return all
}

func unexercised(s *subject) []Finding {
	if len(s.coverage.Unexercised) == 0 {
		return nil
	}
	return []Finding{{
		File: "values.yaml",
		Message: fmt.Sprintf("%d of %d keys are set by no topology, no ci values file and no --values",
			len(s.coverage.Unexercised), s.coverage.Keys),
	}}
}
