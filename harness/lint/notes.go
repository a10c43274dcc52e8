package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
)

var notesRules = []Rule{{
	ID: "helm/notes", Title: "the notes name objects that exist", Severity: Warning,
	Protects: "Whoever installs by the notes backs up, asks or annotates something that is not there.",
	Hint:     "build the name in the notes from the template that names the object",
	Detail: "Renders NOTES.txt of the first base for a release with another name, and looks for words that begin " +
		"with the server's name and a hyphen, or with the release's where an object's does. Each is the name of a " +
		"rendered object, or of a pod of a StatefulSet.",
	chart: notes,
}}

func notes(s *subject) []Finding {
	i := slices.IndexFunc(s.cases, func(c *Case) bool {
		return c.Kind == Renamed && c.Release == otherRelease &&
			c.Err == nil
	})
	if i < 0 {
		return nil
	}
	c := s.cases[i]
	files, err := s.chart.Render(chart.Rendering{Release: c.Release, Namespace: namespace, KubeVersion: s.api.Version},
		c.Values)
	if err != nil {
		return nil
	}
	var text string
	for name, content := range files {
		if strings.HasSuffix(name, "/templates/NOTES.txt") && strings.Count(name, "/") == 2 {
			text = content
		}
	}
	word := regexp.MustCompile(`\b` + otherRelease + `(-[a-z0-9]+)+\b`)
	var all []Finding
	for _, name := range word.FindAllString(text, -1) {
		exists := slices.ContainsFunc(c.Objects, func(o *Object) bool {
			return o.Name == name || o.pod() != nil && strings.Trim(strings.TrimPrefix(name, o.Name+"-"), "0123456789") == ""
		})
		if !exists {
			all = append(all, Finding{
				File: "templates/NOTES.txt", Message: fmt.Sprintf("names %s, which is no object of the release %s", name,
					otherRelease),
			})
		}
	}
	return all
}
