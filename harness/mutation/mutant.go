// Package mutation proves that the functional suite can fail. A mutant is one deliberate defect,
// as data: an edit of a chart, of its values, of a recipe or of a server's configuration, applied
// to a throw-away copy. It is killed when a scenario that should catch it fails; one that survives
// shows what nobody would notice.
package mutation

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Dir is where the mutants are, relative to the source tree.
const Dir = "scenarios/mutants"

// Kind says what a mutant changes, and with that where it runs.
type Kind string

// The kinds. Recipe and Server mutants need no cluster: they run on a real OpenBao and PostgreSQL
// as processes.
const (
	Recipe Kind = "recipe" // how Rails provisions tenants: edits of files in harness/gitlab/recipes
	Server Kind = "server" // OpenBao's own configuration: a JSON Patch of it
	Chart  Kind = "chart"  // edits of files in charts/, and Values over those of the topology
)

// kinds holds where each kind's edited files are, relative to the source tree.
var kinds = map[Kind]string{Recipe: "harness/gitlab/recipes", Server: "", Chart: "charts"}

// Mutant is one deliberate defect.
type Mutant struct {
	ID       string         `json:"id"`     // words joined by hyphens, unique
	Breaks   string         `json:"breaks"` // what is wrong, in one sentence
	Kind     Kind           `json:"kind"`
	Edits    []Edit         `json:"edits,omitempty"`
	Values   map[string]any `json:"values,omitempty"`   // of the chart under test
	Config   []any          `json:"config,omitempty"`   // JSON Patch (RFC 6902) of the configuration that package localbao writes
	Topology string         `json:"topology,omitempty"` // of a Chart mutant; empty is cloud-native
	Caught   []string       `json:"caught,omitempty"`   // scenarios, one of which has to fail
	Rules    []string       `json:"rules,omitempty"`    // instead of Caught: rules of charts check, one of which has to find it
	Needs    string         `json:"needs,omitempty"`    // feature without which its scenarios do not apply; empty for none
	Because  string         `json:"because,omitempty"`  // text in the reason or the log of that scenario: killed for the right reason
	Survives string         `json:"survives,omitempty"` // why no scenario can see it; such a mutant is expected to survive
}

// Edit replaces text in a file; it has to occur there.
type Edit struct {
	File string `json:"file"` // relative to the kind's directory
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Beside the scenarios of the registry there are two that every run reports by itself.
const (
	install   = "lifecycle/install"
	provision = "lifecycle/provision"
)

// Read reads every mutant of the source tree, in the order of file and position, and checks it
// against the scenarios there are. Errors are of code exit.Invalid.
func Read(root string, known []scenario.Scenario) ([]Mutant, error) {
	files, err := filepath.Glob(filepath.Join(root, Dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, exit.Invalidf(filepath.Join(root, Dir), "run it in Steamer's source tree", "no mutants: %w", err)
	}
	var all []Mutant
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, exit.Invalidf(file, "make it readable", "%w", err)
		}
		some, err := Parse(raw)
		if err != nil {
			return nil, exit.Invalidf(file, "compare it with the other files of "+Dir, "%w", err)
		}
		all = append(all, some...)
	}
	if err := validate(all, known); err != nil {
		return nil, exit.Invalidf(filepath.Join(root, Dir), "package mutant describes every field", "%w", err)
	}
	return all, nil
}

// Parse reads a file of mutants strictly.
func Parse(raw []byte) ([]Mutant, error) {
	var file struct {
		Mutants []Mutant `json:"mutants"`
	}
	err := document.YAML(raw, &file)
	return file.Mutants, err
}

var mutantID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func validate(list []Mutant, known []scenario.Scenario) error {
	ids, seen := []string{install, provision}, map[string]bool{}
	for _, s := range known {
		ids = append(ids, s.ID)
	}
	for _, m := range list {
		if err := m.validate(ids); err != nil {
			return fmt.Errorf("mutant %q: %w", m.ID, err)
		}
		if seen[m.ID] {
			return fmt.Errorf("mutant %q: the ID occurs twice", m.ID)
		}
		seen[m.ID] = true
	}
	return nil
}

func (m Mutant) validate(scenarios []string) error {
	dir, ok := kinds[m.Kind]
	changes := len(m.Edits) + len(m.Values) + len(m.Config)
	switch {
	case !mutantID.MatchString(m.ID):
		return fmt.Errorf("the ID must be words in lower case, joined by hyphens")
	case !ok:
		return fmt.Errorf("kind %q is none of recipe, server, chart", m.Kind)
	case m.Breaks == "" || changes == 0:
		return fmt.Errorf("it has to say what it breaks, and break something")
	case len(m.Edits) > 0 && dir == "" || len(m.Config) > 0 && m.Kind != Server || len(m.Values) > 0 && m.Kind != Chart:
		return fmt.Errorf("edits belong to recipe and chart, config to server, values to chart")
	case m.Topology != "" && (m.Kind != Chart || !slices.Contains(topology.Names(), m.Topology)):
		return fmt.Errorf("topology %q: only chart mutants have one, of %s", m.Topology, strings.Join(topology.Names(), ", "))
	case (len(m.Caught) == 0) == (len(m.Rules) == 0):
		return fmt.Errorf("it has to name the scenarios that should catch it, or the rules of charts check")
	case len(m.Rules) > 0 && m.Kind != Chart:
		return fmt.Errorf("rules: only chart mutants have them")
	case m.Needs != "" && len(m.Caught) == 0:
		return fmt.Errorf("needs: only scenarios need a feature")
	}
	for _, id := range m.Rules {
		if _, known := lint.RuleNamed(id); !known {
			return fmt.Errorf("rules: charts check has no rule %s", id)
		}
	}
	for _, edit := range m.Edits {
		if edit.Old == "" || edit.Old == edit.New || !filepath.IsLocal(edit.File) {
			return fmt.Errorf("edit of %q: old must be there and differ from new, and the file lie in %s", edit.File, dir)
		}
	}
	for _, id := range m.Caught {
		if !slices.Contains(scenarios, id) {
			return fmt.Errorf("caught: there is no scenario %s", id)
		}
	}
	return nil
}

// Local reports whether the mutant needs no cluster.
func (m Mutant) Local() bool { return m.Kind != Chart || m.static() }

// static reports whether charts check has to find the mutant, and nothing is installed.
func (m Mutant) static() bool { return len(m.Rules) > 0 }

// topology is where a Chart mutant is installed.
func (m Mutant) topology() string {
	if m.Topology == "" {
		return topology.CloudNative
	}
	return m.Topology
}

// pattern matches the scenarios that should catch the mutant, or is scenario.None where a run
// reports them anyway.
func (m Mutant) pattern() string {
	var quoted []string
	for _, id := range m.Caught {
		if id != install && id != provision {
			quoted = append(quoted, regexp.QuoteMeta(id))
		}
	}
	if len(quoted) == 0 {
		return scenario.None
	}
	return "^(" + strings.Join(quoted, "|") + ")$"
}

// apply returns a file's text with the mutant's edits of it. Text that is not there is an error:
// the file has moved on.
func (m Mutant) apply(file, text string) (string, error) {
	for _, edit := range m.Edits {
		if edit.File != file {
			continue
		}
		if !strings.Contains(text, edit.Old) {
			return "", fmt.Errorf("mutant %s: %s does not hold %q (it has moved on: adapt the mutant)", m.ID, file, edit.Old)
		}
		text = strings.ReplaceAll(text, edit.Old, edit.New)
	}
	return text, nil
}

// copyCharts copies the charts into dir with the mutant's edits.
func (m Mutant) copyCharts(root, dir string) error {
	source := filepath.Join(root, kinds[Chart])
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		return fmt.Errorf("copying the charts: %w", err)
	}
	for _, edit := range m.Edits {
		raw, err := os.ReadFile(filepath.Join(source, edit.File))
		if err != nil {
			return err
		}
		text, err := m.apply(edit.File, string(raw))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, edit.File), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
