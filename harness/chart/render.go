package chart

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Rendering says as what a chart is rendered without a cluster.
type Rendering struct {
	Release     string
	Namespace   string
	Upgrade     bool             // of an installed release, instead of its installation
	KubeVersion string           // that templates see, such as 1.37.2; empty: that of Helm's client
	Existing    []map[string]any // objects that lookup finds in the cluster
}

// Document is one YAML document that a template rendered to.
type Document struct {
	Template string // path in the chart, such as templates/services.yaml
	Text     string
}

// ErrValues marks an error of RenderDocuments that values not fitting the chart's schema caused.
var ErrValues = errors.New("values do not fit the chart's schema")

// Renderer renders one chart many times, without network. It is not safe for concurrent use:
// Helm's engine is not.
type Renderer struct {
	chart   *Chart
	schemas *schemas
}

// Renderer returns a renderer with a copy of the chart. The error is an exit.Invalid error.
func (c *Chart) Renderer() (*Renderer, error) {
	loaded, err := c.parsed()
	if err != nil {
		return nil, err
	}
	compiled, err := compile(loaded)
	if err != nil {
		return nil, exit.Invalidf("chart "+c.source, "correct values.schema.json; helm lint shows the same", "%w", err)
	}
	own := *c
	own.helm = loaded
	return &Renderer{&own, compiled}, nil
}

// RemoteSchemas lists what the schemas of the chart refer to outside of themselves. Helm fetches
// it whenever it validates values; a Renderer takes it to fit.
func (r *Renderer) RemoteSchemas() []string { return r.schemas.remote }

// RenderDocuments renders the chart as Helm would install it, sub-charts and CRDs included, and
// splits the result; empty documents and notes are left out. The error is an exit.Invalid error.
func (r *Renderer) RenderDocuments(as Rendering, values map[string]any) ([]Document, error) {
	loaded, source := r.chart.helm, r.chart.source
	if len(loaded.Dependencies()) > 0 { // processing dependencies changes the chart
		var err error
		if loaded, err = r.chart.parsed(); err != nil {
			return nil, err
		}
	}
	values = Merge(values, nil)
	if err := chartutil.ProcessDependenciesWithMerge(loaded, values); err != nil {
		return nil, exit.Invalidf("dependencies of chart "+source, "helm dependency list shows them", "%w", err)
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	if as.KubeVersion != "" {
		version, err := chartutil.ParseKubeVersion(as.KubeVersion)
		if err != nil {
			return nil, exit.Invalidf("Kubernetes version "+as.KubeVersion, "use a version such as 1.37.2", "%w", err)
		}
		capabilities.KubeVersion = *version
	}
	revision := 1
	if as.Upgrade {
		revision = 2
	}
	top, err := chartutil.ToRenderValuesWithSchemaValidation(loaded, values, chartutil.ReleaseOptions{
		Name: as.Release, Namespace: as.Namespace, Revision: revision, IsInstall: !as.Upgrade, IsUpgrade: as.Upgrade,
	}, capabilities, true)
	if err == nil {
		err = r.validate(top)
	}
	if err != nil {
		return nil, exit.Invalidf("values of chart "+source, "correct the values, or the chart's values.schema.json",
			"%w: %w", ErrValues, err)
	}
	files, err := engine.RenderWithClientProvider(loaded, top, existing(as.Existing))
	if err != nil {
		return nil, exit.Invalidf("chart "+source, "helm template shows the same error with the same values",
			"it does not render: %w", err)
	}
	return split(loaded, files), nil
}

func (r *Renderer) validate(top chartutil.Values) error {
	values, err := top.Table("Values")
	if err != nil {
		return err
	}
	return r.schemas.validate(r.chart.helm.Name(), values)
}

// parsed reads the chart again from its files.
func (c *Chart) parsed() (*chart.Chart, error) {
	var files []*loader.BufferedFile
	for _, file := range c.helm.Raw {
		files = append(files, &loader.BufferedFile{Name: file.Name, Data: file.Data})
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("chart %s, loaded again: %w", c.source, err)
	}
	return loaded, nil
}

func split(c *chart.Chart, files map[string]string) []Document {
	var documents []Document
	add := func(template, text string) {
		if !hasContent(text) {
			return
		}
		if !strings.Contains(text, "---") { // spares Helm's regular expression
			documents = append(documents, Document{
				Template: strings.TrimPrefix(template, c.Name()+"/"),
				Text:     strings.TrimSpace(text),
			})
			return
		}
		manifests := releaseutil.SplitManifests(text)
		for i := range len(manifests) {
			part := strings.TrimSpace(strings.TrimPrefix(manifests[fmt.Sprintf("manifest-%d", i)], "---\n"))
			if hasContent(part) {
				documents = append(documents, Document{Template: strings.TrimPrefix(template, c.Name()+"/"), Text: part})
			}
		}
	}
	for _, crd := range c.CRDObjects() {
		add(crd.Filename, string(crd.File.Data))
	}
	var names []string
	for name := range files {
		if !strings.HasSuffix(name, "NOTES.txt") && !strings.HasPrefix(name[strings.LastIndex(name, "/")+1:], "_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		add(name, files[name])
	}
	return documents
}

// hasContent tells a document from one of blank lines and comments only.
func hasContent(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && line != "---" {
			return true
		}
	}
	return false
}

// Installable checks that the chart wants the Kubernetes version; the rest of what Helm checks
// before it renders, Load has checked. The error is an exit.Invalid error.
func (c *Chart) Installable(kubeVersion string) error {
	if wanted := c.helm.Metadata.KubeVersion; wanted != "" && !chartutil.IsCompatibleRange(wanted, kubeVersion) {
		return exit.Invalidf("chart "+c.source, "choose another --kube-version", "it wants Kubernetes %s, not %s", wanted,
			kubeVersion)
	}
	return nil
}

// Defaults returns the chart's own values, and the text of its values.yaml.
func (c *Chart) Defaults() (map[string]any, []byte) {
	for _, file := range c.helm.Raw {
		if file.Name == chartutil.ValuesfileName {
			return Merge(c.helm.Values, nil), file.Data
		}
	}
	return Merge(c.helm.Values, nil), nil
}

// Coalesced returns values over the chart's own, as templates see them.
func (c *Chart) Coalesced(values map[string]any) (map[string]any, error) {
	return chartutil.CoalesceValues(c.helm, Merge(values, nil))
}

// Schema returns the schema of the chart's values, nil without one.
func (c *Chart) Schema() (map[string]any, error) {
	if c.helm.Schema == nil {
		return nil, nil
	}
	var schema map[string]any
	if err := yaml.Unmarshal(c.helm.Schema, &schema); err != nil {
		return nil, exit.Invalidf("values.schema.json of chart "+c.source, "it has to be a JSON object", "%w", err)
	}
	return schema, nil
}

// Files returns the contents of the chart's files whose names match wants.
func (c *Chart) Files(match func(name string) bool) map[string][]byte {
	found := map[string][]byte{}
	for _, file := range c.helm.Raw {
		if match(file.Name) {
			found[file.Name] = file.Data
		}
	}
	return found
}

// Annotation returns an annotation of the chart's Chart.yaml, "" where it has none of that name.
func (c *Chart) Annotation(name string) string { return c.helm.Metadata.Annotations[name] }
