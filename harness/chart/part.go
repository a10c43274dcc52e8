package chart

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// part identifies the templates of a resolved chart that can read some values.
type part struct {
	of    *chart.Chart
	paths string
}

// part returns the chart with only the templates that can read the values at the paths, and what
// they include.
func (r *Renderer) part(loaded *chart.Chart, paths [][]string) *chart.Chart {
	var keys []string
	for _, path := range paths {
		keys = append(keys, strings.Join(relevant(loaded, path), "\x00"))
	}
	slices.Sort(keys)
	key := part{loaded, strings.Join(slices.Compact(keys), "\x01")}
	r.guard.Lock()
	defer r.guard.Unlock()
	if known := r.parts[key]; known != nil {
		return known
	}
	p := &parting{reading: r.reading, rendered: map[*chart.Chart][]*chart.File{}, included: map[*chart.File]bool{}}
	for _, path := range paths {
		p.collect(loaded, path)
	}
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

// collect adds the templates of a chart and its sub-charts that can read the value at a path,
// which begins at the chart's own values.
func (p *parting) collect(c *chart.Chart, path []string) {
	for _, file := range c.Templates {
		if isPartial(file.Name) {
			continue
		}
		reach := p.reading.reach(file)
		if len(path) > 0 && !reach.any && !reach.words[path[0]] {
			continue
		}
		p.rendered[c] = append(p.rendered[c], file)
		for included := range reach.files {
			p.included[included] = true
		}
	}
	for _, dependency := range c.Dependencies() {
		switch {
		case len(path) == 0 || path[0] == chartutil.GlobalKey:
			p.collect(dependency, path)
		case path[0] == dependency.Name():
			p.collect(dependency, path[1:])
		}
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
	root := c.Name() + "/"
	var visit func(c *chart.Chart)
	visit = func(c *chart.Chart) {
		for _, file := range c.Templates {
			names[strings.TrimPrefix(path.Join(c.ChartFullPath(), file.Name), root)] = true
		}
		for _, dependency := range c.Dependencies() {
			visit(dependency)
		}
	}
	visit(c)
	return names
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

// APIVersions lists the API versions of groups that Helm's client does not know and that templates
// name where they ask for the cluster's, such as monitoring.coreos.com/v1.
func (r *Renderer) APIVersions() []string {
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
