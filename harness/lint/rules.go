package lint

import (
	"slices"
	"strings"
)

// Rule is one thing that a chart is checked for. Exactly one of its functions is set.
type Rule struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`    // what holds when it finds nothing
	Severity Severity `json:"severity"` // of its findings, where one says nothing else
	Protects string   `json:"protects"` // what goes wrong on a cluster without it
	Hint     string   `json:"hint"`     // of its findings, where one says nothing else
	Detail   string   `json:"detail"`   // how it decides, and what it does not see

	renamed bool // looks at objects under other release names and overrides too, where it is about objects
	lenient bool // findings that no base shows are warnings: somebody has to turn on what causes them

	applies func(*subject) bool // nil: to every chart

	object func(*subject, *Object) []Finding // once for each object that any case renders
	each   func(*subject, *Case) []Finding   // once for each case that renders
	chart  func(*subject) []Finding          // once
}

// KnownDefects lists the rules that each look for a defect that a released OpenBao chart had, by
// ID.
func KnownDefects() []string {
	ids := make([]string, 0, len(openbaoRules))
	for _, rule := range openbaoRules {
		ids = append(ids, rule.ID)
	}
	return ids
}

// Rules lists all rules in the order in which they run.
func Rules() []Rule {
	return slices.Concat(helmRules, kubeRules, wiringRules, securityRules, upgradeRules, serverRules, openbaoRules,
		valuesRules, operatorRules())
}

// fits says whether the rule has something to look at in the chart.
func (r Rule) fits(s *subject) bool { return r.applies == nil || r.applies(s) }

// RuleNamed returns the rule with the ID; false where there is none.
func RuleNamed(id string) (Rule, bool) {
	for _, rule := range Rules() {
		if rule.ID == id {
			return rule, true
		}
	}
	return Rule{}, false
}

// apply runs a rule and adds what it finds.
func (s *subject) apply(rule Rule, found *findings) {
	add := func(all []Finding, cases ...string) {
		for _, finding := range all {
			finding.Rule = rule.ID
			if finding.Severity == "" {
				finding.Severity = rule.Severity
			}
			if finding.Hint == "" {
				finding.Hint = rule.Hint
			}
			seen := cases
			if len(finding.Cases) > 0 {
				seen, finding.Cases = finding.Cases, nil
			}
			found.add(finding, seen...)
		}
	}
	switch {
	case rule.chart != nil:
		add(rule.chart(s))
	case rule.each != nil:
		s.applyEach(rule, add)
	case rule.object != nil:
		objects, cases := s.distinct()
		var told []Finding
		for _, o := range objects {
			in := func(kind CaseKind) bool {
				return slices.ContainsFunc(cases[o], func(c *Case) bool { return c.Kind == kind })
			}
			renamed := !in(Base) && !in(SwitchedOn) && !in(SwitchedOff)
			if renamed && !rule.renamed {
				continue
			}
			all := rule.object(s, o)
			for i := range all {
				if rule.lenient && !in(Base) && all[i].Severity == "" {
					all[i].Severity = Warning
				}
			}
			if rule.lenient && !in(Base) {
				all = slices.DeleteFunc(all, func(f Finding) bool { return slices.ContainsFunc(told, f.repeats) })
			}
			if renamed {
				all = news(all, told)
			} else {
				told = append(told, all...)
			}
			add(all, caseNames(cases[o])...)
		}
	}
}

// applyEach runs a rule on each case that renders. Findings of a lenient rule that no base shows
// are warnings.
func (s *subject) applyEach(rule Rule, add func(all []Finding, cases ...string)) {
	inBase := map[string]bool{}
	for _, c := range s.rendered() {
		all := rule.each(s, c)
		if c.Kind == Renamed {
			all = news(all, rule.each(s, c.from))
		}
		for i, f := range all {
			key := strings.Join([]string{f.File, f.Object, f.Path, f.Message}, "\x00")
			if c.Kind == Base {
				inBase[key] = true
			} else if rule.lenient && c.Kind != Renamed && !inBase[key] && f.Severity == "" {
				all[i].Severity = Warning
			}
		}
		add(all, c.Name)
	}
}

// repeats says whether another finding says the same of the same place, perhaps with another
// severity.
func (f Finding) repeats(of Finding) bool {
	return f.File == of.File && f.Object == of.Object && f.Path == of.Path && f.Message == of.Message
}

// news drops findings that others tell already of the same place in the templates, about objects
// with other names.
func news(all, told []Finding) []Finding {
	return slices.DeleteFunc(all, func(f Finding) bool {
		return slices.ContainsFunc(told, func(t Finding) bool { return t.File == f.File && t.Path == f.Path })
	})
}

// distinct lists the different objects of all cases in the order of rendering, and the cases that
// render each.
func (s *subject) distinct() ([]*Object, map[*Object][]*Case) {
	var objects []*Object
	cases := map[*Object][]*Case{}
	for _, c := range s.rendered() {
		for _, o := range c.Objects {
			if cases[o] == nil {
				objects = append(objects, o)
			}
			cases[o] = append(cases[o], c)
		}
	}
	return objects, cases
}

func caseNames(cases []*Case) []string {
	var all []string
	for _, c := range cases {
		all = append(all, c.Name)
	}
	return all
}

// at begins a finding about a place in an object.
func at(o *Object, path, message string) Finding {
	return Finding{File: o.File, Object: o.ID(), Path: path, Message: message}
}

// warnAt is at for what is only a warning, whatever the rule's other findings are.
func warnAt(o *Object, path, message string) Finding {
	finding := at(o, path, message)
	finding.Severity = Warning
	return finding
}
