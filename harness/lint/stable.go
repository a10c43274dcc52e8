package lint

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// again are further renders of a case.
type again struct {
	*Case
	second  []*Object // the same once more
	upgrade []*Object // as an upgrade, with lookup finding what the first render made
}

// repeated renders the bases and the cases that switch something on again, once for all rules that
// ask.
func (s *subject) repeated() []again {
	s.againOnce.Do(s.renderAgain)
	return s.again
}

func (s *subject) renderAgain() {
	var cases []*Case
	for _, c := range s.rendered() {
		if c.Kind == Base || c.Kind == SwitchedOn && c.reshaped { // the others show the same as the bases
			cases = append(cases, c)
		}
	}
	later := s.renderer
	if next, err := s.chart.Later(); err == nil {
		if renderer, err := next.Renderer(); err == nil {
			later = renderer
		}
	}
	renders, failures := make([]again, len(cases)), make([]error, len(cases))
	step := s.progress.begin("renders again, and as upgrades", len(cases))
	inParallel(len(cases), func(i int) {
		defer step()
		if cases[i].Kind != Base && s.over(upgradeShare) {
			return
		}
		renders[i], failures[i] = s.repeat(later, cases[i])
	})
	for i, err := range failures {
		if err != nil {
			finding := Finding{Message: "an upgrade does not render: " + reason(err), Cases: []string{cases[i].Name}}
			s.upgradeErrors = append(s.upgradeErrors, finding)
			continue
		}
		if renders[i].Case != nil {
			s.again = append(s.again, renders[i])
		}
	}
}

// repeat renders a case at another time once more, and as an upgrade. Of what is no base, the
// second render leaves out what is as in its base.
func (s *subject) repeat(later *chart.Renderer, c *Case) (again, error) {
	second, err := s.renderOwn(later, c.rendering(s), c)
	if err != nil {
		return again{}, err
	}
	documents, err := later.RenderDocuments(c.upgrading(s), c.Values)
	next := again{Case: c}
	next.second, next.upgrade = s.objectsOfAll(second), s.objectsOfAll(documents)
	return next, err
}

// renderOwn renders the templates of a case that make something else than in its base, and takes
// the other documents from the case; all templates of a base.
func (s *subject) renderOwn(renderer *chart.Renderer, as chart.Rendering, c *Case) ([]chart.Document, error) {
	if c.from == nil {
		return renderer.RenderDocuments(as, c.Values)
	}
	own := map[string]bool{}
	for _, document := range c.documents {
		own[document.Template] = own[document.Template] || !slices.Contains(c.from.documents, document)
	}
	maps.DeleteFunc(own, func(_ string, differs bool) bool { return !differs })
	return renderer.RenderOnly(as, c.rendered(), own)
}

// counterpart finds the same object in another render.
func counterpart(o *Object, objects []*Object) *Object {
	i := slices.IndexFunc(objects, func(other *Object) bool {
		return other.GVK.GroupKind() == o.GVK.GroupKind() && other.Name == o.Name && other.namespace == o.namespace
	})
	if i < 0 {
		return nil
	}
	return objects[i]
}

func deterministic(s *subject) []Finding {
	var all []Finding
	for _, r := range s.repeated() {
		for _, o := range r.Objects {
			other := counterpart(o, r.second)
			switch {
			case other == nil:
				all = append(all, seen(at(o, "metadata.name", "has another name at each render"), r.Case))
			case o.GVK.Kind != "Secret":
				for _, path := range differences(o.Tree, other.Tree, nil) {
					all = append(all, seen(at(o, path.String(), "differs between two renders of the same values"), r.Case))
				}
			}
		}
	}
	return all
}

func seen(finding Finding, c *Case) Finding {
	finding.Cases = []string{c.Name}
	return finding
}

func secretsKept(s *subject) []Finding {
	var all []Finding
	for _, r := range s.repeated() {
		for _, o := range r.Objects {
			other := counterpart(o, r.second)
			if o.GVK.Kind != "Secret" || other == nil || reflect.DeepEqual(o.Tree, other.Tree) {
				continue
			}
			finding := at(o, "", "is generated at each render; an upgrade keeps it, because lookup finds it")
			finding.Severity = Info
			finding.Hint = "on a cluster, an upgrade shows the same; helm template has no lookup"
			if s.sealSecrets(r.Case).Has(o.Name) && s.withoutLookup(r.Case, o) {
				finding = at(o, "", "holds the seal's key and is generated at each render; only lookup keeps it. "+
					"helm template and Argo CD have no lookup: each of their deployments makes another key, and all data are lost")
				finding.Severity, finding.Hint = Warning,
					"render it only where lookup works, or take the key from a Secret that the chart does not make"
			}
			if s.sealSecrets(r.Case).Has(o.Name) && leaves(o) {
				gone := at(o, "", "holds the seal's key and goes with the release: helm uninstall deletes it, "+
					"and all data are lost")
				gone.Hint = "annotate it with helm.sh/resource-policy: keep"
				all = append(all, seen(gone, r.Case))
			}
			upgraded := counterpart(o, r.upgrade)
			atUpgrade := len(o.hooks()) == 0 || slices.ContainsFunc(o.hooks(),
				func(hook string) bool { return strings.HasSuffix(hook, "-upgrade") })
			switch {
			case !atUpgrade:
			case upgraded == nil && len(o.hooks()) == 0 && !o.kept():
				finding = at(o, "", "an upgrade does not render it any more, so that Helm deletes it")
			case upgraded == nil:
			case len(differences(o.Tree, upgraded.Tree, nil)) > 0:
				finding = at(o, differences(o.Tree, upgraded.Tree, nil)[0].String(),
					"is generated again at each upgrade, although the old value is there")
			}
			all = append(all, seen(finding, r.Case))
		}
	}
	return all
}

// leaves says whether Helm deletes an object, sooner or later: with the release, or a hook's when
// it has run.
func leaves(o *Object) bool {
	if len(o.hooks()) > 0 {
		return strings.Contains(o.notes["helm.sh/hook-delete-policy"], "hook-succeeded")
	}
	return !o.kept()
}

func stable(s *subject) []Finding {
	again := s.repeated()
	all := slices.Clone(s.upgradeErrors)
	for _, r := range again {
		for _, o := range r.Objects {
			if len(o.hooks()) > 0 {
				continue
			}
			upgraded, second := counterpart(o, r.upgrade), counterpart(o, r.second)
			if second == nil || !reflect.DeepEqual(o.Tree, second.Tree) {
				continue // random: the rules above
			}
			if upgraded == nil {
				if !o.kept() {
					all = append(all, seen(at(o, "", "an upgrade does not render it, so that Helm deletes it"), r.Case))
				}
				continue
			}
			for _, path := range differences(o.Tree, upgraded.Tree, nil) {
				all = append(all, seen(at(o, path.String(), "an upgrade changes it"), r.Case))
			}
		}
		for _, o := range r.upgrade {
			if len(o.hooks()) == 0 && counterpart(o, r.Objects) == nil && counterpart(o, r.second) == nil {
				all = append(all, seen(at(o, "", "only an upgrade renders it"), r.Case))
			}
		}
	}
	return all
}

// differences lists where two trees differ.
func differences(a, b any, path mutate.Path) []mutate.Path {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	in := func(step string) mutate.Path { return append(slices.Clone(path), step) }
	switch left := a.(type) {
	case map[string]any:
		right, ok := b.(map[string]any)
		if !ok {
			return []mutate.Path{path}
		}
		keys := maps.Clone(left)
		maps.Copy(keys, right)
		var all []mutate.Path
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			all = append(all, differences(left[key], right[key], in(key))...)
		}
		return all
	case []any:
		right, ok := b.([]any)
		if !ok || len(left) != len(right) {
			return []mutate.Path{path}
		}
		var all []mutate.Path
		for i := range left {
			all = append(all, differences(left[i], right[i], in(fmt.Sprint(i)))...)
		}
		return all
	}
	return []mutate.Path{path}
}
