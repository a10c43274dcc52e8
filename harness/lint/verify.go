package lint

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// verify changes all keys that seem to do nothing at once, and renders the whole chart: the single
// changes were rendered with the templates only that name the key. Where that changes something,
// it looks in each half.
func (s *subject) verify(base *Case, effects []effect, noise noise) error {
	var keys []int
	values := make([]any, len(s.leaves))
	for i, leaf := range s.leaves {
		if effects[i] != silent || s.over(upgradeShare) {
			continue
		}
		current, set := mutate.Get(base.Values, leaf.Path)
		if !set {
			current = leaf.Value
		}
		for _, candidate := range leaf.Candidates(current) {
			if _, err := s.renderWith(base, mutate.Set(base.Values, leaf.Path, candidate), leaf.Path); err == nil {
				keys, values[i] = append(keys, i), candidate
				break
			}
		}
	}
	var halve func(keys []int)
	halve = func(keys []int) {
		if len(keys) == 0 || s.ctx.Err() != nil || s.over(upgradeShare) {
			return
		}
		changed := base.Values
		for _, i := range keys {
			changed = mutate.Set(changed, s.leaves[i].Path, values[i])
		}
		documents, err := s.renderer.RenderDocuments(base.rendering(s), changed)
		switch {
		case err == nil && !noise.differ(base.documents, documents):
		case len(keys) == 1:
			if err == nil {
				effects[keys[0]] = alive
			}
		default:
			halve(keys[:len(keys)/2])
			halve(keys[len(keys)/2:])
		}
	}
	halve(keys)
	return s.ctx.Err()
}

// older is everything turned on for a Kubernetes version of long ago, where templates ask for the
// cluster's.
func (s *subject) older() []*Case {
	if !s.renderer.AsksKubeVersion() {
		return nil
	}
	c := &Case{
		Name: "an old Kubernetes", Release: s.everything.Release, Values: s.everything.Values, from: s.everything.from,
		apis: s.everything.apis, kube: oldKubernetes, existing: s.everything.existing,
	}
	if s.render(c); c.Err != nil {
		return nil
	}
	return []*Case{c}
}

// oldKubernetes is before the APIs that charts still choose between.
const oldKubernetes = "1.16.0"

// compareNumbers gives whole numbers as a values file does and as --set does.
func (s *subject) compareNumbers(base *Case, effects []effect, noise noise) {
	different := make([]bool, len(s.leaves))
	inParallel(len(s.leaves), func(i int) {
		if s.over(keyShare) {
			return
		}
		for _, c := range []*Case{base, s.everything} {
			differs, known := s.numberMatters(c, s.leaves[i], noise)
			if different[i] = differs; known {
				return
			}
		}
	})
	for i, differs := range different {
		if differs {
			s.coverage.Mistyped = append(s.coverage.Mistyped, s.leaves[i].Path.String())
			effects[i] = max(effects[i], alive)
		}
	}
}

// numberMatters says whether a whole number does something else as a float than as an integer, and
// whether that is known: in the case it has to do something at all.
func (s *subject) numberMatters(c *Case, leaf mutate.Leaf, noise noise) (differs, known bool) {
	current, set := mutate.Get(c.Values, leaf.Path)
	if !set {
		current = leaf.Value
	}
	if _, isText := current.(string); isText || s.ctx.Err() != nil {
		return false, true
	}
	number, err := strconv.ParseFloat(fmt.Sprint(current), 64)
	if err != nil || number != math.Trunc(number) {
		return false, true
	}
	with := func(value any) ([]chart.Document, error) {
		return s.renderWith(c, mutate.Set(c.Values, leaf.Path, value), leaf.Path)
	}
	for _, more := range []int64{3, 1} { // the first may be over a limit
		file, err := with(number + float64(more))
		if err != nil {
			continue
		}
		if flag, err := with(int64(number) + more); err == nil {
			differs = noise.differ(file, flag) && !reflect.DeepEqual(s.trees(file), s.trees(flag))
			return differs, differs || noise.differ(c.documents, file)
		}
	}
	return false, false
}

// trees are documents as the API server reads them, to whom 2e+06 is 2000000.
func (s *subject) trees(documents []chart.Document) []map[string]any {
	var all []map[string]any
	for _, o := range s.objectsOfAll(documents) {
		all = append(all, o.Tree)
	}
	return all
}

// unrendered lists the templates of the chart of which no case rendered anything.
func (s *subject) unrendered() []string {
	seen := map[string]bool{}
	for _, c := range s.rendered() {
		for _, document := range c.documents {
			seen[document.Template] = true
		}
	}
	var all []string
	for _, name := range s.renderer.Templates() {
		if !seen[name] && !strings.HasSuffix(name, "NOTES.txt") {
			all = append(all, name)
		}
	}
	return all
}
