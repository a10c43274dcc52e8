package chart

import (
	"encoding/json"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"

	"gitlab.com/steamer/steamer/harness/exit"
)

// writable copies what Helm writes to when it resolves dependencies: it renames some, drops those
// that values switch off, and imports values. Files and values are shared, and only read.
func writable(c *chart.Chart) *chart.Chart {
	metadata := *c.Metadata
	metadata.Dependencies = nil
	for _, dependency := range c.Metadata.Dependencies {
		if dependency != nil {
			own := *dependency
			metadata.Dependencies = append(metadata.Dependencies, &own)
		}
	}
	out := &chart.Chart{
		Raw: c.Raw, Metadata: &metadata, Lock: c.Lock, Templates: c.Templates, Values: c.Values, Schema: c.Schema,
		Files: c.Files,
	}
	for _, dependency := range c.Dependencies() {
		out.AddDependency(writable(dependency))
	}
	return out
}

// resolve returns the chart as values make it: with the sub-charts that are on, under their
// aliases, and what they export. Values that switch the same sub-charts get the same chart, which
// nothing may write to. The error is an exit.Invalid error.
func (r *Renderer) resolve(values map[string]any) (*chart.Chart, error) {
	key := switchedBy(r.switches, values)
	r.guard.Lock()
	defer r.guard.Unlock()
	if known := r.resolved[key]; known != nil {
		return known, nil
	}
	loaded := writable(r.helm)
	if err := chartutil.ProcessDependenciesWithMerge(loaded, values); err != nil {
		return nil, exit.Invalidf("dependencies of chart "+r.source, "helm dependency list shows them", "%w", err)
	}
	r.resolved[key] = loaded
	return loaded, nil
}

// switches lists the paths of all values that the conditions of dependencies name, as the parent
// of all sees them.
func switches(c *chart.Chart, prefix string) []string {
	var all []string
	names := map[string][]string{} // aliases by name
	for _, dependency := range c.Metadata.Dependencies {
		if dependency == nil {
			continue
		}
		for condition := range strings.SplitSeq(strings.TrimSpace(dependency.Condition), ",") {
			if condition != "" {
				all = append(all, prefix+condition)
			}
		}
		if dependency.Alias != "" {
			names[dependency.Name] = append(names[dependency.Name], dependency.Alias)
		}
	}
	for _, dependency := range c.Dependencies() {
		for _, name := range append(names[dependency.Name()], dependency.Name()) {
			all = append(all, switches(dependency, prefix+name+".")...)
		}
	}
	return all
}

// switchedBy tells apart the values that may switch other sub-charts: by what they have at the
// paths, or what keeps them from leading there, and by their tags.
func switchedBy(paths []string, values map[string]any) string {
	if len(paths) == 0 && values["tags"] == nil {
		return ""
	}
	state := []any{values["tags"]}
	for _, path := range paths {
		var node any = values
		depth := 0
		for step := range strings.SplitSeq(path, ".") {
			table, isTable := node.(map[string]any)
			if !isTable {
				break
			}
			below, found := table[step]
			if !found { // wherever that is, the chart's own value counts
				depth = 0
				break
			}
			node = below
			depth++
		}
		if _, isTable := node.(map[string]any); isTable {
			node = "a table"
		}
		state = append(state, depth, node)
	}
	key, err := json.Marshal(state)
	if err != nil { // cannot be: values were read from YAML
		return err.Error()
	}
	return string(key)
}
