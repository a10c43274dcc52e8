package lint

import (
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// key parses a path without escapes.
func key(path string) mutate.Path { return strings.Split(path, ".") }

// has says whether values.yaml has the key, or keys below it.
func (s *subject) has(path string) bool {
	return slices.ContainsFunc(s.leaves, func(l mutate.Leaf) bool {
		own := l.Path.String()
		return own == path || strings.HasPrefix(own, path+".")
	})
}

// hasKeys makes a rule apply to charts whose values have all the keys.
func hasKeys(paths ...string) func(*subject) bool {
	return func(s *subject) bool {
		return len(s.bases()) > 0 && !slices.ContainsFunc(paths, func(path string) bool { return !s.has(path) })
	}
}

// probe renders the first base with some values set; keys that the chart does not have are left
// out.
func (s *subject) probe(values map[string]any) *Case {
	from := s.bases()[0]
	c := &Case{Name: from.Name, Values: from.Values, Release: from.Release, from: from}
	for path, value := range values {
		if s.has(path) {
			c.Values = mutate.Set(c.Values, key(path), value)
			c.changes = append(c.changes, change{key(path), value})
		}
	}
	s.render(c)
	return c
}

// aboutValue begins a finding about a key of values.yaml.
func (s *subject) aboutValue(path, message string) Finding {
	finding := Finding{File: "values.yaml", Path: path, Message: message}
	for _, leaf := range s.leaves {
		if leaf.Path.String() == path {
			finding.Line = leaf.Line
		}
	}
	return finding
}

// config is OpenBao's configuration as a ConfigMap or Secret of the release holds it.
type config struct {
	object *Object
	path   string
	tree   map[string]any
	text   string
}

// get walks the configuration; nil where there is nothing.
func (c *config) get(path ...string) any {
	value, _ := mutate.Get(c.tree, path)
	return value
}

// serverConfig finds the configuration of the pods, in JSON or HCL, with PostgreSQL storage; nil
// without one.
func serverConfig(c *Case) *config {
	for _, found := range serverConfigs(c) {
		if found.get("storage", "postgresql") != nil {
			return found
		}
	}
	return nil
}

// connection has OpenBao's driver parse the rendered connection URL; nil where none is rendered.
// Certificates are left out, because the files are not here.
func connection(c *config) (*pgconn.Config, error) {
	text, _ := c.get("storage", "postgresql", "connection_url").(string)
	if text == "" {
		return nil, nil
	}
	base, query, found := strings.Cut(text, "?")
	if found {
		kept := slices.DeleteFunc(strings.Split(query, "&"), func(parameter string) bool {
			return parameter == "" || strings.HasPrefix(parameter, "sslrootcert=") || strings.HasPrefix(parameter, "sslcert=") ||
				strings.HasPrefix(parameter, "sslkey=")
		})
		base += "?" + strings.Join(kept, "&")
	}
	return pgconn.ParseConfig(base)
}
