package chart

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/chart"
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
	APIVersions []string         // that templates see beside Kubernetes' own
	Native      []string         // Kubernetes' own that templates see; nil: those that Helm's client knows
	NoCluster   bool             // as helm template does: lookup is answered by nothing, not even an empty list
	Existing    []map[string]any // objects that lookup finds in the cluster
	// Missing, unless nil, is called for each object that a template looks up and that is not among
	// Existing; of a kind of which there is none, without a name.
	Missing func(apiVersion, kind, name string)
}

// Document is one YAML document that a template rendered to.
type Document struct {
	Template string // path in the chart, such as templates/services.yaml
	Text     string
}

// ErrValues marks an error of rendering that values not fitting the chart's schema caused.
var ErrValues = errors.New("values do not fit the chart's schema")

// Renderer renders one chart many times, without network. It reads the chart's files once, and may
// be used concurrently.
type Renderer struct {
	helm    *chart.Chart // as it was loaded; nothing writes to it
	source  string
	schemas *schemas
	reading *reading

	switches []string                // paths of the values that switch sub-charts on and off
	guard    sync.Mutex              // of the maps below
	resolved map[string]*chart.Chart // with the sub-charts that are on, by the values of the switches
	parts    map[part]*chart.Chart
}

// Renderer returns the chart's renderer. The error is an exit.Invalid error.
func (c *Chart) Renderer() (*Renderer, error) { return c.renderer() }

func newRenderer(helm *chart.Chart, source string) (*Renderer, error) {
	compiled := newSchemas(helm)
	if _, err := compiled.of(helm); err != nil {
		return nil, exit.Invalidf("chart "+source, "correct values.schema.json; helm lint shows the same", "%w", err)
	}
	return &Renderer{
		helm: helm, source: source, schemas: compiled, reading: read(helm), switches: switches(helm, ""),
		resolved: map[string]*chart.Chart{}, parts: map[part]*chart.Chart{},
	}, nil
}

// RemoteSchemas lists what the schemas of the chart refer to outside of themselves. Helm fetches
// it whenever it validates values; a Renderer takes it to fit.
func (r *Renderer) RemoteSchemas() []string { return r.schemas.remote }

// Render returns the rendered templates by file name, as Helm's engine makes them without a
// cluster: the values have to satisfy the chart's schema and the templates have to render. The
// error is an exit.Invalid error.
func (c *Chart) Render(as Rendering, values map[string]any) (map[string]string, error) {
	r, err := c.Renderer()
	if err != nil {
		return nil, err
	}
	loaded, err := r.resolve(values)
	if err != nil {
		return nil, err
	}
	return r.render(loaded, as, values, nil)
}

// RenderDocuments renders the chart as Helm would install it, sub-charts and CRDs included, and
// splits the result; empty documents and notes are left out. The error is an exit.Invalid error.
func (r *Renderer) RenderDocuments(as Rendering, values map[string]any) ([]Document, error) {
	loaded, err := r.resolve(values)
	if err != nil {
		return nil, err
	}
	files, err := r.render(loaded, as, values, nil)
	if err != nil {
		return nil, err
	}
	return split(loaded, files), nil
}

// Rendered are the documents that a chart renders to with values.
type Rendered struct {
	Values    map[string]any
	Documents []Document
}

// RenderChanged is RenderDocuments for values that differ from those of before at some paths only:
// it renders the templates that can read these values, and takes the other documents from before,
// which has to be of the same Rendering.
func (r *Renderer) RenderChanged(as Rendering, before Rendered, values map[string]any, paths ...[]string) ([]Document,
	error,
) {
	old, err := r.resolve(before.Values)
	if err != nil {
		return nil, err
	}
	loaded, err := r.resolve(values)
	if err != nil {
		return nil, err
	}
	if old != loaded { // other sub-charts are on
		return r.RenderDocuments(as, values)
	}
	documents, err := r.again(loaded, r.part(loaded, paths), as, before.Documents, values)
	if err != nil && noTemplate.MatchString(err.Error()) { // one that only a value names
		return r.RenderDocuments(as, values)
	}
	return documents, err
}

// noTemplate fits the error of an engine that lacks a template.
var noTemplate = regexp.MustCompile(`no template|template .* not defined|undefined template`)

// RenderNaming is RenderChanged with only those templates rendered again that name every key of the
// path; named is false where there are none. What it shows as changed is changed; a template that
// reads values by other ways may show more.
func (r *Renderer) RenderNaming(as Rendering, before Rendered, values map[string]any, path []string,
) (documents []Document, named bool, err error) {
	old, err := r.resolve(before.Values)
	if err != nil {
		return nil, false, err
	}
	loaded, err := r.resolve(values)
	if err != nil {
		return nil, false, err
	}
	some := r.naming(loaded, path)
	if old != loaded || len(templatesOf(some)) == 0 {
		return before.Documents, false, nil
	}
	documents, err = r.again(loaded, some, as, before.Documents, values)
	return documents, true, err
}

// RenderOnly renders the templates of these names, as documents have them, and takes the other
// documents from before.
func (r *Renderer) RenderOnly(as Rendering, before Rendered, names map[string]bool) ([]Document, error) {
	loaded, err := r.resolve(before.Values)
	if err != nil {
		return nil, err
	}
	return r.again(loaded, r.only(loaded, names), as, before.Documents, before.Values)
}

// again renders some templates of a chart, and puts what they make in place of what they made
// before.
func (r *Renderer) again(loaded, some *chart.Chart, as Rendering, before []Document, values map[string]any) ([]Document,
	error,
) {
	files, err := r.render(loaded, as, values, some)
	if err != nil {
		return nil, err
	}
	return combine(before, templatesOf(some), splitTemplates(some, files)), nil
}

// render renders the templates of a resolved chart, or only those of some, a part of it.
func (r *Renderer) render(loaded *chart.Chart, as Rendering, values map[string]any, some *chart.Chart,
) (map[string]string, error) {
	capabilities := chartutil.DefaultCapabilities.Copy()
	if as.KubeVersion != "" {
		version, err := chartutil.ParseKubeVersion(as.KubeVersion)
		if err != nil {
			return nil, exit.Invalidf("Kubernetes version "+as.KubeVersion, "use a version such as 1.37.2", "%w", err)
		}
		capabilities.KubeVersion = *version
	}
	if as.Native != nil {
		capabilities.APIVersions = as.Native
	}
	capabilities.APIVersions = slices.Concat(capabilities.APIVersions, as.APIVersions)
	revision := 1
	if as.Upgrade {
		revision = 2
	}
	top, err := chartutil.ToRenderValuesWithSchemaValidation(loaded, values, chartutil.ReleaseOptions{
		Name: as.Release, Namespace: as.Namespace, Revision: revision, IsInstall: !as.Upgrade, IsUpgrade: as.Upgrade,
	}, capabilities, true)
	if err == nil {
		err = r.validate(loaded, top)
	}
	if err != nil {
		return nil, exit.Invalidf("values of chart "+r.source,
			"correct --values and --set, name the --dialect that they follow, or correct the chart's values.schema.json",
			"%w: %w", ErrValues, err)
	}
	var files map[string]string
	if as.NoCluster {
		files, err = engine.Render(cmp.Or(some, loaded), top)
	} else {
		files, err = engine.RenderWithClientProvider(cmp.Or(some, loaded), top, existing{as.Existing, as.Missing})
	}
	if err != nil {
		return nil, exit.Invalidf("chart "+r.source, "helm template shows the same error with the same values",
			"it does not render: %w", err)
	}
	return files, nil
}

func (r *Renderer) validate(loaded *chart.Chart, top chartutil.Values) error {
	values, err := top.Table("Values")
	if err != nil {
		return err
	}
	return r.schemas.validate(loaded, values)
}

// Coalesced returns values over the chart's own, as templates see them. The error is an
// exit.Invalid error.
func (r *Renderer) Coalesced(values map[string]any) (map[string]any, error) {
	loaded, err := r.resolve(values)
	if err != nil {
		return nil, err
	}
	return chartutil.CoalesceValues(loaded, values)
}

// split lists the documents of a rendered chart in the order in which Helm would install them.
func split(c *chart.Chart, files map[string]string) []Document {
	var documents []Document
	for _, crd := range c.CRDObjects() {
		documents = append(documents, splitFile(c, crd.Filename, string(crd.File.Data))...)
	}
	return append(documents, splitTemplates(c, files)...)
}

func splitTemplates(c *chart.Chart, files map[string]string) []Document {
	var documents []Document
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, "NOTES.txt") && !strings.HasPrefix(path.Base(name), "_") {
			documents = append(documents, splitFile(c, name, files[name])...)
		}
	}
	return documents
}

func splitFile(c *chart.Chart, name, text string) []Document {
	template := strings.TrimPrefix(name, c.Name()+"/")
	if !hasContent(text) {
		return nil
	}
	// One document, which may begin with a separator, needs no regular expression of Helm's.
	if one := strings.TrimPrefix(strings.TrimSpace(text), "---\n"); !strings.Contains(one, "\n---") {
		return []Document{{Template: template, Text: strings.TrimSpace(one)}}
	}
	var documents []Document
	manifests := releaseutil.SplitManifests(text)
	for i := range len(manifests) {
		part := strings.TrimSpace(strings.TrimPrefix(manifests[fmt.Sprintf("manifest-%d", i)], "---\n"))
		if hasContent(part) {
			documents = append(documents, Document{Template: template, Text: part})
		}
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
