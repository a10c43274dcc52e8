// Package chart is the seam to Helm: loading, checking, installing, upgrading and
// removing charts. Nothing else imports Helm, so that its next major version is one
// package's change.
package chart

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// Chart is a loaded chart with what identifies its bytes.
type Chart struct {
	helm     *chart.Chart
	source   string // as errors and results name it
	digest   string
	archive  string // SHA-256 of the archive it came from; empty for a directory
	manifest string // digest of the OCI manifest it came from
	renderer func() (*Renderer, error)
}

// Load reads a chart from a directory or a .tgz archive, without network. The error is an
// exit.Invalid error.
func Load(source string) (*Chart, error) {
	hint := "name a directory that holds a Chart.yaml, or a chart archive (.tgz)"
	info, err := os.Stat(source)
	if err != nil {
		return nil, exit.Invalidf("chart "+source, hint, "%w", err)
	}
	loaded, err := loader.Load(source)
	if err != nil {
		return nil, exit.Invalidf("chart "+source, hint, "%w", err)
	}
	c, err := newChart(loaded, source)
	if err != nil || info.IsDir() {
		return c, err
	}
	data, err := os.ReadFile(source)
	if err != nil {
		return nil, exit.Invalidf("chart "+source, hint, "%w", err)
	}
	c.archive = sum(data)
	return c, nil
}

// newChart checks that a loaded chart is whole and can be installed.
func newChart(loaded *chart.Chart, source string) (*Chart, error) {
	if err := loaded.Validate(); err != nil {
		return nil, exit.Invalidf("chart "+source, "helm lint shows the same error", "%w", err)
	}
	if err := action.CheckDependencies(loaded, loaded.Metadata.Dependencies); err != nil {
		return nil, exit.Invalidf("chart "+source, "helm dependency build "+source+
			" puts them there; a packaged chart has to hold them",
			"dependencies are missing: %w", err)
	}
	if kind := loaded.Metadata.Type; kind != "" && kind != "application" {
		return nil, exit.Invalidf("chart "+source, "name a chart of type application", "a chart of type %s installs nothing",
			kind)
	}
	return &Chart{
		helm: loaded, source: source, digest: digest(loaded),
		renderer: sync.OnceValues(func() (*Renderer, error) { return newRenderer(loaded, source) }),
	}, nil
}

// sum is the SHA-256 of data in the form in which OCI and result.json write it.
func sum(data []byte) string {
	hash := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(hash[:])
}

// digest is the SHA-256 over the names and contents of the chart's files, sorted by name. Unlike
// an archive's own checksum it is the same for a directory and for the archive packaged from it.
func digest(c *chart.Chart) string {
	files := packagedFiles(c, "")
	slices.SortStableFunc(files, func(a, b packed) int {
		return cmp.Or(cmp.Compare(a.name, b.name), bytes.Compare(a.data, b.data))
	})
	sum := sha256.New()
	for _, file := range files {
		fmt.Fprintf(sum, "%q %d\n", file.name, len(file.data))
		sum.Write(file.data)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// packagedFiles lists what helm package keeps of a chart and, below charts/, of its sub-charts,
// which it unpacks. It rewrites Chart.yaml from what it parsed, so here too its content counts and
// not its bytes, and Chart.lock, which repeats it with a time, does not count. Of charts/ it drops
// what is neither a chart nor a signature.
func packagedFiles(c *chart.Chart, dir string) []packed {
	var files []packed
	for _, file := range c.Raw {
		data := file.Data
		switch {
		case file.Name == "Chart.lock", strings.HasPrefix(file.Name, "charts/") && path.Ext(file.Name) != ".prov":
			continue
		case file.Name == "Chart.yaml":
			if parsed, err := yaml.Marshal(c.Metadata); err == nil {
				data = parsed
			}
		}
		files = append(files, packed{dir + file.Name, data})
	}
	for _, dependency := range c.Dependencies() {
		files = append(files, packagedFiles(dependency, dir+"charts/"+dependency.Name()+"/")...)
	}
	return files
}

// Info identifies the chart for a result.
func (c *Chart) Info() result.Chart {
	return result.Chart{
		Name: c.helm.Name(), Version: c.helm.Metadata.Version, AppVersion: c.helm.AppVersion(), Source: c.source,
		Digest:  c.digest,
		Archive: c.archive, Manifest: c.manifest,
	}
}

// Knows reports whether the chart's own values have a key, given as its path: "image.tag".
func (c *Chart) Knows(key string) bool {
	values := c.helm.Values
	parts := strings.Split(key, ".")
	for _, part := range parts[:len(parts)-1] {
		next, ok := values[part].(map[string]any)
		if !ok {
			return false
		}
		values = next
	}
	_, ok := values[parts[len(parts)-1]]
	return ok
}

// copy returns the chart as it was loaded, for Helm to write to, with schemas that need no
// network.
func (c *Chart) copy() (*chart.Chart, error) {
	copied := writable(c.helm)
	if err := localSchema(copied); err != nil {
		return nil, exit.Invalidf("chart "+c.source, "", "%w", err)
	}
	return copied, nil
}

// ReadValues reads a values file. What sensitive keys hold is withheld from then on. The error is
// an exit.Invalid error.
func ReadValues(file string) (map[string]any, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, exit.Invalidf("values "+file, "name a YAML file that can be read", "%w", err)
	}
	values, err := ParseValues(file, data)
	secret.LearnValues(values)
	return values, err
}

// ParseValues parses values in YAML; input names them in the exit.Invalid error.
func ParseValues(input string, data []byte) (map[string]any, error) {
	values := map[string]any{}
	err := document.YAML(data, &map[string]any{})
	if err == nil { // again, since Helm's numbers are float64
		err = yaml.Unmarshal(data, &values)
	}
	if err != nil && !errors.Is(err, document.ErrEmpty) {
		return nil, exit.Invalidf("values "+input, "it has to be a YAML mapping", "%w", err)
	}
	return values, nil
}

// DigestValues is "sha256:" and the SHA-256 of values laid over a chart's own, as JSON with sorted
// keys; empty where there are none.
func DigestValues(values map[string]any) string {
	if len(values) == 0 {
		return ""
	}
	raw, err := json.Marshal(values)
	if err != nil { // cannot be: values were read from YAML
		raw = []byte(err.Error())
	}
	return sum(raw)
}

// InfoWith is Info with the digest of the user's values that are laid over the chart.
func (c *Chart) InfoWith(values map[string]any) result.Chart {
	info := c.Info()
	info.Values = DigestValues(values)
	return info
}

// Merge overlays values: maps are merged, everything else is replaced. The result shares no map
// with either argument, so that Helm, which writes to values that it is given, changes neither.
func Merge(base, overlay map[string]any) map[string]any {
	merged := make(map[string]any, len(base))
	for key, value := range base {
		merged[key] = apart(value)
	}
	for key, value := range overlay {
		below, isMap := merged[key].(map[string]any)
		above, alsoMap := value.(map[string]any)
		if isMap && alsoMap {
			merged[key] = Merge(below, above)
			continue
		}
		merged[key] = apart(value)
	}
	return merged
}

// apart copies a value if it is a map.
func apart(value any) any {
	if m, isMap := value.(map[string]any); isMap {
		return Merge(m, nil)
	}
	return value
}
