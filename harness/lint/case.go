package lint

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// CaseKind says why a case is rendered.
type CaseKind string

// The kinds of cases.
const (
	Base        CaseKind = "base"         // the chart's defaults, a topology, a ci values file
	Renamed     CaseKind = "renamed"      // a base under another release name or name override
	SwitchedOn  CaseKind = "switched-on"  // a base with one switch of the values turned on, or set to another choice
	SwitchedOff CaseKind = "switched-off" // a base with one switch turned off
)

// Case is one render of the chart.
type Case struct {
	Name    string
	Kind    CaseKind
	Values  map[string]any
	Release string
	Objects []*Object
	Err     error // why it does not render

	documents []chart.Document
	from      *Case               // the base of what is none
	supplied  []string            // Secrets that the topology makes
	existing  []map[string]any    // what lookup finds
	needs     []string            // objects that it looks up and without which it does not render
	missed    []map[string]any    // what it looks up and does not find
	apis      []string            // API versions that the cluster has beside Kubernetes' own
	kube      string              // Kubernetes version; empty: the one that is checked
	reshaped  bool                // renders other documents than its base, or documents of another length
	ci        string              // values file, for a base made from one
	path      mutate.Path         // of the switch
	texts     map[string][]string // keys of the values by the strings there; filled by namedByValue
	changes   []change            // of the base's values: the switch and what it demanded
}

// change is another value for a key.
type change struct {
	path  mutate.Path
	value any
}

// Where the cases are rendered to. No rule depends on the names.
const (
	namespace    = "steamer-check"
	release      = "openbao"
	otherRelease = "another"
)

// longRelease has the greatest length that Helm allows, 53.
const longRelease = "loooooooooooooooooooooooooooooooooooooooooooooooooong"

func (c *Case) rendering(s *subject) chart.Rendering {
	existing := slices.Clone(c.existing)
	if c.from != nil {
		existing = append(existing, c.from.existing...)
	}
	return chart.Rendering{
		Release: c.Release, Namespace: namespace, KubeVersion: cmp.Or(c.kube, s.api.Version), APIVersions: c.apis,
		Existing: existing, Native: map[bool][]string{true: s.native}[c.kube == ""],
	}
}

// upgrading is the rendering of an upgrade of what the case installed.
func (c *Case) upgrading(s *subject) chart.Rendering {
	var made []map[string]any
	for _, o := range c.Objects {
		made = append(made, o.Tree)
	}
	return c.rendering(s).Upgrading(made)
}

// overBase says whether the case is rendered as its base is, with other values for some keys.
func (c *Case) overBase() bool {
	return c.from != nil && len(c.changes) > 0 && c.Release == c.from.Release && c.kube == c.from.kube &&
		slices.Equal(c.apis, c.from.apis) && len(c.existing) == 0
}

// structural says whether the case renders other documents than its base, or documents of another
// length.
func (c *Case) structural() bool {
	if len(c.documents) != len(c.from.documents) {
		return true
	}
	for i, document := range c.documents {
		other := c.from.documents[i]
		if document.Template != other.Template || strings.Count(document.Text, "\n") != strings.Count(other.Text, "\n") {
			return true
		}
	}
	return false
}

// lines counts the lines of all documents.
func (c *Case) lines() int {
	n := 0
	for _, document := range c.documents {
		n += strings.Count(document.Text, "\n")
	}
	return n
}

// nameCases renders the first base under other names.
func (s *subject) nameCases() {
	bases := s.bases()
	if len(bases) == 0 {
		return
	}
	from := bases[0]
	var cases []*Case
	add := func(name, release string, values map[string]any) {
		cases = append(cases, &Case{Name: name, Kind: Renamed, Values: values, Release: release, from: from})
	}
	add("release "+otherRelease, otherRelease, from.Values)
	add("release of 53 characters", longRelease, from.Values)
	for _, override := range []string{"nameOverride", "fullnameOverride"} {
		if slices.ContainsFunc(s.leaves, func(l mutate.Leaf) bool { return l.Path.String() == override }) {
			add(override, from.Release, mutate.Set(from.Values, mutate.Path{override}, "renamed"))
		}
	}
	inParallel(len(cases), func(i int) { s.render(cases[i]) })
	s.cases = append(s.cases, cases...)
}

// maxChoices bounds the alternatives that are rendered of one switch.
const maxChoices = 2

// switchCases renders the first base with each switch of the values in another position. Where the
// chart then demands another value by name, that is given. Switches of a securityContext are left
// alone: they are not features.
func (s *subject) switchCases() {
	bases := s.bases()
	if len(bases) == 0 {
		return
	}
	coalesced, err := s.renderer.Coalesced(bases[0].Values)
	if err != nil {
		return
	}
	var switches []func() *Case
	limited := slices.IndexFunc(bases, func(c *Case) bool { // by a policy that names ports
		return slices.ContainsFunc(c.Objects, func(o *Object) bool {
			return o.GVK.Kind == "NetworkPolicy" && o.field("spec", "egress") != nil
		})
	})
	for _, leaf := range s.leaves {
		if !leaf.Switch() && !isPort(leaf) || strings.Contains(strings.ToLower(leaf.Path.String()), "securitycontext") {
			continue
		}
		current, _ := mutate.Get(coalesced, leaf.Path)
		candidates := leaf.Candidates(current)
		if current == nil {
			candidates = []any{true}
		}
		if isPort(leaf) {
			candidates = moved(leaf)
		}
		for _, candidate := range candidates[:min(len(candidates), maxChoices)] {
			switches = append(switches, func() *Case { return s.switched(bases[0], leaf.Path, candidate) })
			if limited > 0 && isPort(leaf) {
				switches = append(switches, func() *Case { return s.switched(bases[limited], leaf.Path, candidate) })
			}
		}
	}
	cases := make([]*Case, len(switches))
	step := s.progress.begin("switches", len(switches))
	inParallel(len(switches), func(i int) {
		defer step()
		if s.ctx.Err() == nil && !s.over(switchShare) {
			cases[i] = switches[i]()
		}
	})
	cases = slices.DeleteFunc(cases, func(c *Case) bool { return c == nil })
	s.cases = append(s.cases, cases...)
}

// isPort says whether a value is a port, which moves like a switch: what names it by a number of
// its own stays behind.
func isPort(leaf mutate.Leaf) bool { return moved(leaf) != nil }

// moved is another number for a port, away from its neighbours'; nil for what is none.
func moved(leaf mutate.Leaf) []any {
	number, err := strconv.Atoi(fmt.Sprint(leaf.Value))
	if err != nil || number < 1024 || !strings.HasSuffix(strings.ToLower(leaf.Path[len(leaf.Path)-1]), "port") {
		return nil
	}
	return []any{float64(number + 1000)}
}

// switched renders a base with one value changed.
func (s *subject) switched(from *Case, path mutate.Path, value any) *Case {
	c := &Case{
		Name: fmt.Sprintf("%s=%v", path, value), Kind: SwitchedOn, Release: from.Release, from: from, path: path,
		Values: mutate.Set(from.Values, path, value), changes: []change{{path, value}},
	}
	if on, isBool := value.(bool); isBool && !on {
		c.Kind = SwitchedOff
	}
	if s.render(c); c.Err != nil {
		s.supply(c)
	}
	return c
}

// maxSupplied bounds how many demanded values are given to one case, and maxTries how many are
// tried for each: an error may name many keys.
const maxSupplied, maxTries = 3, 12

// supply gives a case that does not render the values that the error names, one after the other,
// and keeps its first error where that does not help.
func (s *subject) supply(c *Case) {
	first, values, name := c.Err, c.Values, c.Name
	for range maxSupplied {
		if c.Err == nil || errors.Is(c.Err, chart.ErrValues) || !s.supplyOne(c) {
			break
		}
	}
	if c.Err != nil {
		c.Err, c.Values, c.Name = first, values, name
	}
}

// supplyOne sets one value that the error names; it reports whether the case renders now or fails
// of something else.
func (s *subject) supplyOne(c *Case) bool {
	text := c.Err.Error()
	tries := 0
	for _, leaf := range s.leaves {
		current, set := mutate.Get(c.Values, leaf.Path)
		if !set {
			current = leaf.Value
		}
		if leaf.Path.String() == c.path.String() || !mutate.Empty(current) || !named(text, leaf.Path) {
			continue
		}
		for _, candidate := range leaf.Candidates(current) {
			if tries++; tries > maxTries || s.ctx.Err() != nil {
				return false
			}
			try := *c
			try.Values = mutate.Set(c.Values, leaf.Path, candidate)
			try.changes = append(slices.Clone(c.changes), change{leaf.Path, candidate})
			_, try.Err = s.documents(&try, try.rendering(s))
			if try.Err == nil || !errors.Is(try.Err, chart.ErrValues) && try.Err.Error() != text {
				c.Values, c.Err, c.Name = try.Values, nil, fmt.Sprintf("%s,%s=%v", c.Name, leaf.Path, candidate)
				c.changes = try.changes
				s.render(c)
				return true
			}
		}
	}
	return false
}

// named says whether an error names a key: by its path, or by its last part where that is long
// enough to mean it.
func named(text string, path mutate.Path) bool {
	last := path[len(path)-1]
	if len(last) < 5 {
		last = path.String()
	}
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(last) + `\b`).MatchString(text)
}
