package lint

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// Coverage says which keys of values.yaml do something and which are set by a test.
type Coverage struct {
	Keys      int      `json:"keys"`      // of values.yaml that have no keys below them
	Alive     int      `json:"alive"`     // a change of which changes a render
	Exercised int      `json:"exercised"` // set by a topology, a ci values file or the user
	Dead      []string `json:"dead"`      // changed without an effect
	// Mistyped are numbers that do something else in a values file, where they are floats, than
	// with --set, where they are integers.
	Mistyped    []string `json:"mistyped,omitempty"`
	Unrendered  []string `json:"unrendered,omitempty"` // templates of the chart that no case rendered anything of
	Untried     []string `json:"untried"`              // no change of which renders where it matters
	Unexercised []string `json:"unexercised"`          // set by none
}

// effect is what became of changing one key.
type effect int

const (
	untried effect = iota // nothing rendered
	silent                // something rendered, and nothing changed
	failing               // in one case at least, the templates break or refuse another value: the key is read
	alive
)

// measure changes each key and fills the coverage: first in one base; then together with what the
// chart demands beside it, as a case of its own; then with everything on, in the other bases and
// beside neighbouring switches; at last with everything on and the key's empty neighbours set. A
// key that has had an effect is left alone.
func (s *subject) measure() error {
	s.coverage.Keys = len(s.leaves)
	effects := make([]effect, len(s.leaves))
	bases := s.bases()
	if len(bases) == 0 {
		return nil
	}
	noise := s.noise()
	in := func(cases ...*Case) func(mutate.Leaf) []*Case {
		return func(mutate.Leaf) []*Case { return cases }
	}
	if err := s.changeAll(effects, alive, noise, in(bases[0])); err != nil {
		return err
	}
	s.demandingAll(bases[0], effects, noise)
	s.everything = s.together()
	near := func(leaf mutate.Leaf) []*Case { return s.features(leaf.Path) }
	if err := s.changeAll(effects, alive, noise, in(s.everything)); err != nil {
		return err
	}
	for _, cases := range []func(mutate.Leaf) []*Case{in(bases[1:]...), near, s.filled, in(s.older()...)} {
		if err := s.changeAll(effects, failing, noise, cases); err != nil {
			return err
		}
	}
	for _, c := range []*Case{bases[0], s.everything} {
		if err := s.verify(c, effects, noise); err != nil {
			return err
		}
	}
	s.compareNumbers(bases[0], effects, noise)
	for i, leaf := range s.leaves {
		path := leaf.Path.String()
		switch effects[i] {
		case alive:
			s.coverage.Alive++
		case untried, failing:
			s.coverage.Untried = append(s.coverage.Untried, path)
		case silent:
			if s.cut.Load() { // there are ways that were not tried
				s.coverage.Untried = append(s.coverage.Untried, path)
			} else {
				s.coverage.Dead = append(s.coverage.Dead, path)
			}
		}
		if s.exercised(leaf.Path) {
			s.coverage.Exercised++
		} else {
			s.coverage.Unexercised = append(s.coverage.Unexercised, path)
		}
	}
	return nil
}

// changeAll changes each key whose effect is less than settled in the cases that in names.
func (s *subject) changeAll(effects []effect, settled effect, noise noise, in func(mutate.Leaf) []*Case) error {
	var open []int
	for i := range effects {
		if effects[i] < settled {
			open = append(open, i)
		}
	}
	step := s.progress.begin("keys of values.yaml tried in one way", len(open))
	inParallel(len(open), func(k int) {
		defer step()
		i := open[k]
		if s.ctx.Err() != nil || s.over(keyShare) { // before in, which may render
			return
		}
		for _, c := range in(s.leaves[i]) {
			if s.ctx.Err() != nil || effects[i] == alive || s.over(keyShare) {
				return
			}
			effects[i] = max(effects[i], s.mutateIn(c, s.leaves[i], noise))
		}
	})
	return s.ctx.Err()
}

// demandingAll changes the keys that could not be changed alone.
func (s *subject) demandingAll(from *Case, effects []effect, noise noise) {
	made := make([]*Case, len(s.leaves))
	inParallel(len(s.leaves), func(i int) {
		if (effects[i] == untried || effects[i] == failing) && !s.over(keyShare) {
			effects[i], made[i] = s.demanding(from, s.leaves[i], noise)
		}
	})
	s.cases = append(s.cases, slices.DeleteFunc(made, func(c *Case) bool { return c == nil })...)
}

// demanding changes a key that cannot be changed alone, and returns what renders as a case, or
// nil.
func (s *subject) demanding(from *Case, leaf mutate.Leaf, noise noise) (effect, *Case) {
	current, set := mutate.Get(from.Values, leaf.Path)
	if !set {
		current = leaf.Value
	}
	for _, candidate := range leaf.Candidates(current) {
		c := s.switched(from, leaf.Path, candidate)
		if c.Err == nil {
			if noise.differ(from.documents, c.documents) {
				return alive, c
			}
			return silent, c
		}
		if !errors.Is(c.Err, chart.ErrValues) {
			return failing, nil
		}
	}
	return untried, nil
}

// filled is everything turned on, and the empty neighbours of a key set as well.
func (s *subject) filled(leaf mutate.Leaf) []*Case {
	full := s.everything
	for _, neighbour := range s.leaves {
		beside := len(neighbour.Path) == len(leaf.Path) && neighbour.Path.Shared(leaf.Path) == len(leaf.Path)-1
		if current, set := mutate.Get(full.Values, neighbour.Path); !beside || set && !mutate.Empty(current) ||
			!mutate.Empty(neighbour.Value) {
			continue
		}
		for _, candidate := range neighbour.Candidates(neighbour.Value) {
			try := &Case{
				Release: full.Release, Values: mutate.Set(full.Values, neighbour.Path, candidate), from: full.from, apis: full.apis,
				existing: full.existing,
			}
			try.documents, try.Err = s.renderer.RenderChanged(try.rendering(s), full.rendered(), try.Values, neighbour.Path)
			if try.Err == nil {
				full = try
				break
			}
		}
	}
	if full == s.everything {
		return nil
	}
	return []*Case{full}
}

// mutateIn tries other values for a key in one case until one changes the render.
func (s *subject) mutateIn(c *Case, leaf mutate.Leaf, noise noise) effect {
	current, set := mutate.Get(c.Values, leaf.Path)
	if !set {
		current = leaf.Value
	}
	rendered, failed := 0, 0
	for _, candidate := range leaf.Candidates(current) {
		values := mutate.Set(c.Values, leaf.Path, candidate)
		documents, err := s.renderWith(c, values, leaf.Path)
		if err != nil {
			if !errors.Is(err, chart.ErrValues) { // which costs little, and says nothing about the next value
				failed++
			}
			if failed == tooMany {
				break
			}
			continue
		}
		if noise.differ(c.documents, documents) {
			return alive
		}
		if rendered++; rendered == enough {
			break
		}
	}
	switch {
	case failed > 0: // what a template refuses or breaks of is read
		return failing
	case rendered > 0:
		return silent
	}
	return untried
}

// renderWith renders a case with another value for a key: the templates that name the key, or
// where there are none, those that can read it.
func (s *subject) renderWith(c *Case, values map[string]any, path mutate.Path) ([]chart.Document, error) {
	documents, named, err := s.renderer.RenderNaming(c.rendering(s), c.rendered(), values, path)
	if named && (err == nil || errors.Is(err, chart.ErrValues)) {
		return documents, err
	}
	return s.renderer.RenderChanged(c.rendering(s), c.rendered(), values, path)
}

// In one case, this many values without an effect, or with which a template breaks, stand for all.
const enough, tooMany = 2, 4

// exercised says whether a topology, a ci values file or the user sets the key, one above or one
// below it.
func (s *subject) exercised(path mutate.Path) bool {
	return slices.ContainsFunc(s.cases, func(c *Case) bool {
		if c.Kind != Base {
			return false
		}
		_, set := mutate.Get(c.Values, path)
		return set
	})
}

// noise holds lines that differ from render to render, by template and position, because they are
// random; and those that differ with a value that nothing reads, because they hash all values.
type noise map[string]bool

func (s *subject) noise() noise {
	s.noiseOnce.Do(func() {
		repeated := s.repeated()
		each := make([]noise, len(repeated))
		inParallel(len(repeated), func(i int) { each[i] = s.noiseOf(repeated[i]) })
		s.random = noise{}
		for _, found := range each {
			maps.Copy(s.random, found)
		}
	})
	return s.random
}

func (s *subject) noiseOf(r again) noise {
	found := noise{}
	for i, o := range r.Objects {
		if i < len(r.second) && r.second[i] != o {
			found.add(o.File, o.Text, r.second[i].Text)
		}
	}
	unread := mutate.Path{"global", "steamerReadByNothing"}
	documents, err := s.renderer.RenderChanged(r.rendering(s), r.rendered(), mutate.Set(r.Values, unread, true), unread)
	if err != nil || len(documents) != len(r.documents) {
		return found // the schema refuses it
	}
	for i, document := range documents {
		if document.Text != r.documents[i].Text {
			found.add(document.Template, r.documents[i].Text, document.Text)
		}
	}
	return found
}

// add adds the lines in which two renders of a template differ.
func (n noise) add(template, a, b string) {
	first, second := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(first), len(second)) {
		if first[i] != second[i] {
			key, _, _ := strings.Cut(first[i], ":")
			n[template+"\x00"+key] = true
		}
	}
}

// differ compares two renders, without the noise.
func (n noise) differ(a, b []chart.Document) bool {
	if len(a) != len(b) {
		return true
	}
	for i := range a {
		if a[i].Template != b[i].Template {
			return true
		}
		if a[i].Text != b[i].Text && n.clean(a[i]) != n.clean(b[i]) {
			return true
		}
	}
	return false
}

// clean is a document's text without what is random in it.
func (n noise) clean(document chart.Document) string {
	lines := strings.Split(document.Text, "\n")
	for i, line := range lines {
		if key, _, _ := strings.Cut(line, ":"); n[document.Template+"\x00"+key] {
			lines[i] = key
		}
	}
	return strings.Join(lines, "\n")
}

// differ compares two cases, without what is random.
func (s *subject) differ(a, b *Case) bool { return s.noise().differ(a.documents, b.documents) }
