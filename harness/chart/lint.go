package chart

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

// LintMessage is one remark of helm lint.
type LintMessage struct {
	Error bool   // else a warning
	File  string // in the chart
	Line  int    // 0: unknown
	Text  string
}

// withoutReferences is a schema without references to other documents, which Helm would fetch; one
// that is no JSON stays what it is.
func withoutReferences(data []byte) []byte {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return data
	}
	cutReferences(document)
	local, err := json.Marshal(document)
	if err != nil {
		return data
	}
	return local
}

var templateLine = regexp.MustCompile(`/(templates/[^:\s]+):(\d+)(?::\d+)?:`)

// Lint runs helm lint over the chart with values for a Kubernetes version. It looks at a copy of
// the chart's files, so that archives and directories are the same to it.
func (c *Chart) Lint(namespace, kubeVersion string, values map[string]any) ([]LintMessage, error) {
	version, err := chartutil.ParseKubeVersion(kubeVersion)
	if err != nil {
		return nil, err
	}
	parent, err := os.MkdirTemp("", "steamer-lint-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, filepath.Base(c.helm.Name()))
	for _, file := range c.helm.Raw {
		name := filepath.Join(dir, filepath.FromSlash(file.Name))
		if !filepath.IsLocal(file.Name) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return nil, err
		}
		data := file.Data
		if file.Name == chartutil.SchemafileName {
			data = withoutReferences(data)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return nil, err
		}
	}
	var messages []LintMessage
	for _, m := range lint.AllWithKubeVersion(dir, Merge(values, nil), namespace, version).Messages {
		if m.Severity < support.WarningSev {
			continue
		}
		message := LintMessage{Error: m.Severity >= support.ErrorSev, File: m.Path, Text: strings.ReplaceAll(m.Err.Error(),
			dir+string(filepath.Separator), "")}
		// What is about the chart as a whole has the copy's directory for a path.
		file := cmp.Or(strings.Trim(strings.TrimPrefix(m.Path, dir), string(filepath.Separator)), chartutil.ChartfileName)
		message.File, message.Line = templatePlace(message.Text, file)
		messages = append(messages, message)
	}
	return messages, nil
}

// templatePlace reads the innermost file and line from an error of the template engine; file
// stands where it names none.
func templatePlace(text, file string) (string, int) {
	matches := templateLine.FindAllStringSubmatch(text, -1)
	if len(matches) == 0 {
		return file, 0
	}
	last := matches[len(matches)-1]
	line, _ := strconv.Atoi(last[2])
	return last[1], line
}

// TemplatePlace returns the file and the line that an error of RenderDocuments names; empty and 0
// where it names none.
func TemplatePlace(err error) (file string, line int) { return templatePlace(err.Error(), "") }
