package chart

import (
	"bytes"
	"regexp"

	"helm.sh/helm/v3/pkg/chart/loader"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/exit"
)

var metadata = regexp.MustCompile(`^(?:charts/[^/]+/)*(Chart|requirements)\.yaml$`)

// WithVersion returns the chart as another version of it would be: only version and appVersion of
// its Chart.yaml, and of its sub-charts', differ. The error is an exit.Invalid error.
func (c *Chart) WithVersion(version, appVersion string) (*Chart, error) {
	return c.changed(func(name string, data []byte) ([]byte, error) {
		file := metadata.FindStringSubmatch(name)
		if file == nil {
			return data, nil
		}
		tree := map[string]any{}
		if err := yaml.Unmarshal(data, &tree); err != nil {
			return nil, err
		}
		if file[1] == "Chart" {
			tree["version"], tree["appVersion"] = version, appVersion
		}
		dependencies, _ := tree["dependencies"].([]any)
		for _, dependency := range dependencies {
			if dependency, isMap := dependency.(map[string]any); isMap {
				dependency["version"] = ">=0.0.0-0"
			}
		}
		return yaml.Marshal(tree)
	})
}

var (
	evaluated = regexp.MustCompile(`(?:^|/)templates/|(?:^|/)values\.yaml$`)
	inBraces  = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	clock     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|` + "`[^`]*`" + `|[.$]?\bnow\b`)
)

// Later returns the chart with a clock that is about a year ahead wherever a template or a value
// that is one asks for the time. The error is an exit.Invalid error.
func (c *Chart) Later() (*Chart, error) {
	return c.changed(func(name string, data []byte) ([]byte, error) {
		if !evaluated.MatchString(name) {
			return data, nil
		}
		return inBraces.ReplaceAllFunc(data, func(code []byte) []byte {
			return clock.ReplaceAllFunc(code, func(word []byte) []byte {
				if string(word) == "now" {
					return []byte("(now | dateModify `9001h1m1s`)")
				}
				return word
			})
		}), nil
	})
}

// changed returns the chart with other contents of its files, itself where none changes.
func (c *Chart) changed(change func(name string, data []byte) ([]byte, error)) (*Chart, error) {
	var files []*loader.BufferedFile
	same := true
	for _, file := range c.helm.Raw {
		data, err := change(file.Name, file.Data)
		if err != nil {
			return nil, exit.Invalidf(file.Name+" of "+c.source, "", "%w", err)
		}
		same = same && bytes.Equal(data, file.Data)
		files = append(files, &loader.BufferedFile{Name: file.Name, Data: data})
	}
	if same {
		return c, nil
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, exit.Invalidf("chart "+c.source, "", "%w", err)
	}
	return newChart(loaded, c.source)
}
