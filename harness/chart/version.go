package chart

import (
	"helm.sh/helm/v3/pkg/chart/loader"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/exit"
)

// WithVersion returns the chart as another version of it would be: only version and appVersion of
// its Chart.yaml differ. The error is an exit.Invalid error.
func (c *Chart) WithVersion(version, appVersion string) (*Chart, error) {
	var files []*loader.BufferedFile
	for _, file := range c.helm.Raw {
		data := file.Data
		if file.Name == "Chart.yaml" {
			tree := map[string]any{}
			err := yaml.Unmarshal(data, &tree)
			tree["version"], tree["appVersion"] = version, appVersion
			if err == nil {
				data, err = yaml.Marshal(tree)
			}
			if err != nil {
				return nil, exit.Invalidf("Chart.yaml of "+c.source, "", "%w", err)
			}
		}
		files = append(files, &loader.BufferedFile{Name: file.Name, Data: data})
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, exit.Invalidf("chart "+c.source, "", "as version %s: %w", version, err)
	}
	return newChart(loaded, c.source)
}
