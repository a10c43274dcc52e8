package chart

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// part identifies some templates of a resolved chart.
type part struct {
	of     *chart.Chart
	wanted string
}

// part returns the chart with only the templates that can read the values at the paths, and what
// they include.
func (r *Renderer) part(loaded *chart.Chart, paths [][]string) *chart.Chart {
	var keys []string
	for _, path := range paths {
		keys = append(keys, strings.Join(relevant(loaded, path), "\x00"))
	}
	return r.reduced(loaded, keys, func(p *parting) {
		for _, path := range paths {
			p.collect(loaded, path, func(reach reach, path []string) bool {
				return len(path) == 0 || reach.any || reach.words[path[0]]
			})
		}
	})
}

// naming returns the chart with only the templates that name every key of a path, and what they
// include.
func (r *Renderer) naming(loaded *chart.Chart, path []string) *chart.Chart {
	return r.reduced(loaded, []string{"naming", strings.Join(path, "\x00")}, func(p *parting) {
		p.collect(loaded, path, func(reach reach, path []string) bool {
			return !slices.ContainsFunc(path, func(key string) bool { return !reach.words[key] })
		})
	})
}

// only returns the chart with only the templates of these names, as documents have them, and what
// they include.
func (r *Renderer) only(loaded *chart.Chart, names map[string]bool) *chart.Chart {
	return r.reduced(loaded, append(slices.Sorted(maps.Keys(names)), "only"), func(p *parting) {
		eachTemplate(loaded, func(c *chart.Chart, file *chart.File, name string) {
			if names[name] && !isPartial(file.Name) {
				p.add(c, file)
			}
		})
	})
}

// reduced returns the chart with what collect collects; keys tell one such part from another.
func (r *Renderer) reduced(loaded *chart.Chart, keys []string, collect func(*parting)) *chart.Chart {
	slices.Sort(keys)
	key := part{loaded, strings.Join(slices.Compact(keys), "\x01")}
	r.guard.Lock()
	defer r.guard.Unlock()
	if known := r.parts[key]; known != nil {
		return known
	}
	p := &parting{reading: r.reading, rendered: map[*chart.Chart][]*chart.File{}, included: map[*chart.File]bool{}}
	collect(p)
	r.parts[key] = p.reduce(loaded)
	return r.parts[key]
}

// relevant is the beginning of a path that leads to the sub-chart whose value it is, and the
// value's first key there.
func relevant(c *chart.Chart, path []string) []string {
	for i, name := range path[:len(path)-1] {
		below := slices.IndexFunc(c.Dependencies(), func(d *chart.Chart) bool { return d.Name() == name })
		if below < 0 {
			return path[:i+1]
		}
		c = c.Dependencies()[below]
	}
	return path
}

// parting collects the templates of a part.
type parting struct {
	reading  *reading
	rendered map[*chart.Chart][]*chart.File
	included map[*chart.File]bool
}

// collect adds the templates of a chart and its sub-charts that are wanted for the value at a path,
// which begins at the chart's own values.
func (p *parting) collect(c *chart.Chart, path []string, wanted func(reach reach, path []string) bool) {
	for _, file := range c.Templates {
		if !isPartial(file.Name) && wanted(p.reading.reach(file), path) {
			p.add(c, file)
		}
	}
	for _, dependency := range c.Dependencies() {
		switch {
		case len(path) == 0 || path[0] == chartutil.GlobalKey:
			p.collect(dependency, path, wanted)
		case path[0] == dependency.Name():
			p.collect(dependency, path[1:], wanted)
		}
	}
}

func (p *parting) add(c *chart.Chart, file *chart.File) {
	p.rendered[c] = append(p.rendered[c], file)
	for included := range p.reading.reach(file).files {
		p.included[included] = true
	}
}

// reduce copies a chart without the templates that were not collected.
func (p *parting) reduce(c *chart.Chart) *chart.Chart {
	out := &chart.Chart{Metadata: c.Metadata, Values: c.Values, Files: c.Files}
	for _, file := range c.Templates {
		if p.included[file] || slices.Contains(p.rendered[c], file) {
			out.Templates = append(out.Templates, file)
		}
	}
	for _, dependency := range c.Dependencies() {
		out.AddDependency(p.reduce(dependency))
	}
	return out
}

// templatesOf names the templates of a chart and its sub-charts as documents do.
func templatesOf(c *chart.Chart) map[string]bool {
	names := map[string]bool{}
	eachTemplate(c, func(_ *chart.Chart, _ *chart.File, name string) { names[name] = true })
	return names
}

// eachTemplate visits the templates of a chart and its sub-charts with their names in documents.
func eachTemplate(root *chart.Chart, do func(c *chart.Chart, file *chart.File, name string)) {
	var visit func(c *chart.Chart)
	visit = func(c *chart.Chart) {
		for _, file := range c.Templates {
			do(c, file, strings.TrimPrefix(path.Join(c.ChartFullPath(), file.Name), root.Name()+"/"))
		}
		for _, dependency := range c.Dependencies() {
			visit(dependency)
		}
	}
	visit(root)
}

var crd = regexp.MustCompile(`^(charts/[^/]+/)*crds/`)

// combine puts the documents of some templates in place of those that these templates had.
func combine(before []Document, replaced map[string]bool, now []Document) []Document {
	all := make([]Document, 0, len(before)+len(now))
	for _, document := range before {
		if !replaced[document.Template] {
			all = append(all, document)
		}
	}
	all = append(all, now...)
	slices.SortStableFunc(all, func(a, b Document) int {
		switch crdA, crdB := crd.MatchString(a.Template), crd.MatchString(b.Template); {
		case crdA && crdB:
			return 0
		case crdA:
			return -1
		case crdB:
			return 1
		}
		return cmp.Compare(a.Template, b.Template)
	})
	return all
}

// Templates lists the templates of the chart itself that are rendered, such as
// templates/services.yaml; those of sub-charts are left out.
func (r *Renderer) Templates() []string {
	var names []string
	for _, file := range r.helm.Templates {
		if !isPartial(file.Name) {
			names = append(names, file.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Words lists the keys that templates of the chart and its sub-charts may read, of values or of
// whatever else.
func (r *Renderer) Words() []string {
	words := map[string]bool{}
	for _, reach := range r.reading.defined {
		for _, one := range reach {
			maps.Copy(words, one.words)
		}
	}
	for _, one := range r.reading.files {
		maps.Copy(words, one.words)
	}
	return slices.Sorted(maps.Keys(words))
}

// APIVersions lists the API versions of groups that Helm's client does not know and that templates
// name, such as monitoring.coreos.com/v1, where any template asks for the cluster's.
func (r *Renderer) APIVersions() []string {
	if !r.reading.asksAPIs {
		return nil
	}
	known := map[string]bool{}
	for _, version := range chartutil.DefaultVersionSet {
		group, _, _ := strings.Cut(version, "/")
		known[group] = true
	}
	var all []string
	for _, version := range r.reading.apis {
		parts := strings.Split(version, "/")
		if !known[parts[0]] {
			all = append(all, strings.Join(parts[:2], "/"), version)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// AsksKubeVersion says whether a template asks for the cluster's Kubernetes version.
func (r *Renderer) AsksKubeVersion() bool { return r.reading.asksKube }
