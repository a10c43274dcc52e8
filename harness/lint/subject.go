package lint

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
	"gitlab.com/steamer/steamer/harness/lint/mutate"
	"gitlab.com/steamer/steamer/harness/topology"
)

// subject is what the rules look at: the chart and its renders.
type subject struct {
	chart    *chart.Chart
	renderer *chart.Renderer
	api      *kubeapi.API
	dialect  *topology.Dialect // nil: none fits
	allowed  Allowance
	leaves   []mutate.Leaf
	user     map[string]any // the user's values
	cases    []*Case
	ctx      context.Context // of the whole check; rules that render much look at it

	everything *Case // as many switches on as render together; nil before measure

	parsing  sync.Mutex           // guards parsed
	parsed   map[string][]*Object // by template and text: many cases render the same
	coverage Coverage

	definitionsOnce sync.Once // guards definitionsOf
	definitionsOf   map[schema.GroupKind]*apiextensionsv1.CustomResourceDefinition

	again         []again   // filled by repeated
	upgradeErrors []Finding // filled by repeated
}

// render renders a case. An error is the case's.
func (s *subject) render(c *Case) {
	documents, err := s.renderer.RenderDocuments(c.rendering(s), c.Values)
	c.Err, c.documents, c.Objects = err, documents, nil
	for _, document := range documents {
		c.Objects = append(c.Objects, s.objectsOf(document)...)
	}
}

func (s *subject) objectsOf(document chart.Document) []*Object {
	key := document.Template + "\x00" + document.Text
	s.parsing.Lock()
	objects, known := s.parsed[key]
	s.parsing.Unlock()
	if known {
		return objects
	}
	objects = parse(document)
	s.parsing.Lock()
	defer s.parsing.Unlock()
	s.parsed[key] = objects
	return objects
}

// inParallel calls do for 0 to n-1, as many at a time as there are CPUs: renders do not depend on
// each other.
func inParallel(n int, do func(i int)) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error { do(i); return nil })
	}
	_ = group.Wait() // no call returns an error
}

// rendered lists the cases that rendered.
func (s *subject) rendered() []*Case {
	var all []*Case
	for _, c := range s.cases {
		if c.Err == nil {
			all = append(all, c)
		}
	}
	return all
}

// bases lists the cases that rendered and stand for an installation: defaults, topologies and ci
// files.
func (s *subject) bases() []*Case {
	var all []*Case
	for _, c := range s.rendered() {
		if c.Kind == Base {
			all = append(all, c)
		}
	}
	return all
}

// maxFeatures bounds in how many switched cases one key is tried.
const maxFeatures = 6

// features lists the switched cases nearest to a key that render other objects, or that switch a
// neighbour of it.
func (s *subject) features(near mutate.Path) []*Case {
	var all []*Case
	for _, c := range s.rendered() {
		if shared := c.path.Shared(near); shared > 0 && (c.structural() || shared == len(near)-1) {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *Case) int { return b.path.Shared(near) - a.path.Shared(near) })
	return all[:min(len(all), maxFeatures)]
}

// together turns on as many switches as render together without an object going: some keys matter
// only when several are on.
func (s *subject) together() *Case {
	bases := s.bases()
	all := &Case{
		Name: "everything", Release: bases[0].Release, Values: bases[0].Values, from: bases[0],
		documents: bases[0].documents,
	}
	var on []*Case
	for _, c := range s.rendered() {
		if c.path == nil || len(c.documents) < len(c.from.documents) || c.Kind == SwitchedOff && c.lines() < c.from.lines() {
			continue // turns something off
		}
		on = append(on, c)
	}
	return s.join(all, on)
}

// join adds the changes of the cases to one case: all at once where that renders, else half by
// half, so that only what does not go with the others is left out.
func (s *subject) join(all *Case, more []*Case) *Case {
	if len(more) == 0 {
		return all
	}
	try := &Case{Name: all.Name, Release: all.Release, Values: all.Values, from: all.from}
	for _, c := range more {
		for _, change := range c.changes {
			try.Values = mutate.Set(try.Values, change.path, change.value)
		}
	}
	if s.render(try); try.Err == nil && len(try.documents) >= len(all.documents) {
		return try
	}
	if len(more) == 1 {
		return all
	}
	half := len(more) / 2
	return s.join(s.join(all, more[:half]), more[half:])
}
