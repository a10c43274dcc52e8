package lint

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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

	native     []string       // API versions of Kubernetes' own groups, as templates ask for them
	held       map[string]any // a text for every key that templates name
	asked      []string       // API versions that templates ask the cluster for and Kubernetes does not have
	everything *Case          // as many switches on as render together; nil before measure
	progress   *progress
	budget     time.Duration // of CPU time; 0: none
	began      time.Duration // CPU time at the beginning
	cut        atomic.Bool   // the budget did not last

	parsing  sync.Mutex           // guards parsed
	parsed   map[string][]*Object // by template and text: many cases render the same
	coverage Coverage

	definitionsOnce sync.Once // guards definitionsOf
	definitionsOf   map[schema.GroupKind]*apiextensionsv1.CustomResourceDefinition

	againOnce     sync.Once // guards again and upgradeErrors, which repeated fills
	again         []again
	upgradeErrors []Finding

	noiseOnce sync.Once // guards random
	random    noise     // of all renders; see noise
}

// render renders a case. An error is the case's. Where a template looks for an object in the
// cluster and fails without it, the case is rendered with one that holds everything.
func (s *subject) render(c *Case) {
	c.needs = nil
	if s.renderWithout(c); c.Err != nil && !errors.Is(c.Err, chart.ErrValues) && len(c.missed) > 0 {
		s.lookUp(c)
	}
	c.Objects = s.objectsOfAll(c.documents)
	c.reshaped = c.Err == nil && c.from != nil && c.structural()
}

// renderWithout renders a case with what exists in it, and notes what it looks for beside that.
func (s *subject) renderWithout(c *Case) {
	c.missed = nil
	as := c.rendering(s)
	as.Missing = func(apiVersion, kind, name string) { c.missed = append(c.missed, s.full(apiVersion, kind, name)) }
	c.documents, c.Err = s.documents(c, as)
}

// maxLookUps bounds how often what a case finds may make it look for more.
const maxLookUps = 4

// lookUp renders a case again with objects in place of those that it missed, and keeps as few of
// them as it takes. Where the case does not render with them either, it stays as it is.
func (s *subject) lookUp(c *Case) {
	try, missing := *c, c.missed
	with := func(objects []map[string]any) bool {
		try.existing = slices.Concat(c.existing, objects)
		s.renderWithout(&try)
		return try.Err == nil
	}
	for range maxLookUps {
		if with(missing) || len(try.missed) == 0 {
			break
		}
		missing = slices.Concat(missing, try.missed)
	}
	if try.Err != nil {
		if try.Err.Error() != c.Err.Error() { // it is for want of one of them
			c.needs = objectNames(missing)
		}
		return
	}
	kept := missing
	for _, one := range missing {
		fewer := slices.DeleteFunc(slices.Clone(kept), func(o map[string]any) bool { return reflect.DeepEqual(o, one) })
		if len(fewer) < len(kept) && with(fewer) {
			kept = fewer
		}
	}
	with(kept)
	*c = try
	c.needs = objectNames(kept)
}

// full is an object, in whatever namespace, with a text for every key that templates name.
func (s *subject) full(apiVersion, kind, name string) map[string]any {
	return map[string]any{
		"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": cmp.Or(name, "any")}, "data": s.held,
	}
}

// objectNames names each object once.
func objectNames(objects []map[string]any) []string {
	var names []string
	for _, tree := range objects {
		names = append(names, describe(chart.Document{}, tree).ID())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// documents renders a case as a whole, or only what its changes of its base can reach.
func (s *subject) documents(c *Case, as chart.Rendering) ([]chart.Document, error) {
	if !c.overBase() {
		return s.renderer.RenderDocuments(as, c.Values)
	}
	var paths [][]string
	for _, change := range c.changes {
		paths = append(paths, change.path)
	}
	return s.renderer.RenderChanged(as, c.from.rendered(), c.Values, paths...)
}

// rendered are the documents of a case, to compare others with.
func (c *Case) rendered() chart.Rendered {
	return chart.Rendered{Values: c.Values, Documents: c.documents}
}

func (s *subject) objectsOfAll(documents []chart.Document) []*Object {
	var objects []*Object
	for _, document := range documents {
		objects = append(objects, s.objectsOf(document)...)
	}
	return objects
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
	if first, known := s.parsed[key]; known { // by a render beside this one: rules tell objects apart by pointer
		return first
	}
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
		if shared := c.path.Shared(near); shared > 0 && (c.reshaped || shared == len(near)-1) {
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
		Name: "everything", Release: bases[0].Release, Values: bases[0].Values, from: bases[0], apis: s.asked,
		existing: s.sought(),
	}
	if s.render(all); all.Err != nil {
		all = bases[0]
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
	try := &Case{
		Name: all.Name, Release: all.Release, Values: all.Values, from: all.from, apis: all.apis, existing: all.existing,
	}
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
