// Package chart is the seam to Helm: loading, checking, installing, upgrading and
// removing charts. Nothing else imports Helm, so that its next major version is one
// package's change.
package chart

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"sort"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Chart is a loaded chart with what identifies its bytes.
type Chart struct {
	helm   *chart.Chart
	source string
	digest string
}

// Load reads a chart from a directory or a .tgz archive. The error is an exit.Invalid error.
func Load(source string) (*Chart, error) {
	mend := "name a directory that holds a Chart.yaml, or a chart archive (.tgz)"
	if _, err := os.Stat(source); err != nil {
		return nil, exit.Invalidf("chart "+source, mend, "%w", err)
	}
	loaded, err := loader.Load(source)
	if err != nil {
		return nil, exit.Invalidf("chart "+source, mend, "%w", err)
	}
	if err := loaded.Validate(); err != nil {
		return nil, exit.Invalidf("chart "+source, mend, "%w", err)
	}
	return &Chart{helm: loaded, source: source, digest: digest(loaded)}, nil
}

// digest is the SHA-256 over the names and contents of the chart's files, sorted by name. Unlike an archive's own checksum it
// is the same for a directory and for the archive packaged from it: helm package writes Chart.yaml anew from what it
// parsed, so here too its content counts and not its bytes, and Chart.lock, which repeats it with a time, does not count.
func digest(c *chart.Chart) string {
	files := append([]*chart.File{}, c.Raw...)
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	sum := sha256.New()
	for _, file := range files {
		data := file.Data
		switch file.Name {
		case "Chart.lock":
			continue
		case "Chart.yaml":
			if parsed, err := yaml.Marshal(c.Metadata); err == nil {
				data = parsed
			}
		}
		fmt.Fprintf(sum, "%q %d\n", file.Name, len(data))
		sum.Write(data)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// Info identifies the chart for a result.
func (c *Chart) Info() result.Chart {
	return result.Chart{
		Name: c.helm.Name(), Version: c.helm.Metadata.Version, AppVersion: c.helm.AppVersion(), Source: c.source, Digest: c.digest,
	}
}

// Check renders the chart with the values for a release without any cluster: the values have to satisfy the chart's
// schema and the templates have to render. The error is an exit.Invalid error.
func (c *Chart) Check(release, namespace string, values map[string]any) error {
	_, err := c.Render(release, namespace, values)
	return err
}

// Render returns the rendered templates by file name, as Helm's engine makes them without a cluster.
func (c *Chart) Render(release, namespace string, values map[string]any) (map[string]string, error) {
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	top, err := chartutil.ToRenderValues(c.helm, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, exit.Invalidf("values of chart "+c.source,
			"correct --values or --set, or name the --dialect that the chart's values follow", "%w", err)
	}
	rendered, err := engine.Render(c.helm, top)
	if err != nil {
		return nil, exit.Invalidf("chart "+c.source, "helm template shows the same error with the same values", "it does not render: %w", err)
	}
	return rendered, nil
}

// ReadValues reads a values file. The error is an exit.Invalid error.
func ReadValues(path string) (map[string]any, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Invalidf("values "+path, "name a YAML file that can be read", "%w", err)
	}
	return ParseValues(path, data)
}

// ParseValues parses values in YAML; input names them in the exit.Invalid error.
func ParseValues(input string, data []byte) (map[string]any, error) {
	values := map[string]any{}
	if err := yaml.UnmarshalStrict(data, &values); err != nil {
		return nil, exit.Invalidf("values "+input, "it has to be a YAML mapping", "%w", err)
	}
	return values, nil
}

// Merge overlays values: maps are merged, everything else is replaced. Neither argument is changed.
func Merge(base, overlay map[string]any) map[string]any {
	merged := make(map[string]any, len(base))
	for key, value := range base {
		merged[key] = value
	}
	for key, value := range overlay {
		below, isMap := merged[key].(map[string]any)
		above, alsoMap := value.(map[string]any)
		if isMap && alsoMap {
			value = Merge(below, above)
		}
		merged[key] = value
	}
	return merged
}

// ParseSet parses one assignment in the syntax of Helm's --set. The error is an exit.Invalid error.
func ParseSet(assignment string) (map[string]any, error) {
	values, err := strvals.Parse(assignment)
	if err != nil {
		return nil, exit.Invalidf("--set "+assignment, "use helm's syntax, key.path=value", "%w", err)
	}
	return values, nil
}
