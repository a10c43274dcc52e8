package lint

import (
	"reflect"
	"slices"
	"strings"
)

// capabilityCases renders what templates keep from a cluster without the API groups that they ask
// for: the first base, and the switches that do nothing without them, once for each group.
func (s *subject) capabilityCases() {
	bases := s.bases()
	if len(bases) == 0 {
		return
	}
	groups := map[string][]string{}
	var names []string
	for _, api := range s.asked {
		group, _, _ := strings.Cut(api, "/")
		if groups[group] == nil {
			names = append(names, group)
		}
		groups[group] = append(groups[group], api)
	}
	definitions := s.sought()
	if len(definitions) > 0 {
		names = append(names, "")
	}
	for _, group := range names {
		with := &Case{
			Name: "API group " + group, Kind: SwitchedOn, Values: bases[0].Values, Release: bases[0].Release, from: bases[0],
			apis: slices.Concat(bases[0].apis, groups[group]), supplied: bases[0].supplied,
			existing: slices.Clone(bases[0].existing),
		}
		if group == "" {
			with.Name, with.existing = "definitions of custom resources", slices.Concat(with.existing, definitions)
		}
		if s.render(with); with.Err != nil || !slices.Equal(with.documents, bases[0].documents) {
			s.cases = append(s.cases, with)
		}
		if with.Err == nil {
			s.cases = append(s.cases, s.switchedWith(with)...)
		}
	}
}

// switchedWith renders the switches that do nothing without an API group, and keeps those that do
// something with it.
func (s *subject) switchedWith(with *Case) []*Case {
	var silent []*Case
	for _, c := range s.cases {
		if c.Kind == SwitchedOn && c.path != nil && c.Err == nil && !c.reshaped {
			silent = append(silent, c)
		}
	}
	tried := make([]*Case, len(silent))
	inParallel(len(silent), func(i int) {
		c := &Case{
			Name: silent[i].Name + " with " + with.Name, Kind: SwitchedOn, Values: silent[i].Values, Release: with.Release,
			from: with, path: silent[i].path, changes: silent[i].changes, apis: with.apis,
		}
		if s.render(c); c.Err != nil || c.reshaped {
			tried[i] = c
		}
	})
	return slices.DeleteFunc(tried, func(c *Case) bool { return c == nil })
}

// sought lists the definitions of custom resources that cases look up and do not find.
func (s *subject) sought() []map[string]any {
	var all []map[string]any
	for _, c := range s.rendered() {
		for _, o := range c.missed {
			same := func(other map[string]any) bool { return reflect.DeepEqual(o["metadata"], other["metadata"]) }
			if o["kind"] == "CustomResourceDefinition" && !slices.ContainsFunc(all, same) {
				all = append(all, o)
			}
		}
	}
	return all
}
