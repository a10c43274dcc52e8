package lint

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

var reachingRules = []Rule{{
	ID: "values/reach-pods", Title: "values for pods and Secrets reach where they are meant", Severity: Error,
	Protects: "A priority, a node selector or a Secret's name that only a Job reads, or that another value replaces, " +
		"does nothing where the operator counts on it.",
	Hint: "render the value into the pods of the server",
	Detail: "Sets the values named like a field of pods (priorityClassName, nodeSelector, tolerations, affinity, " +
		"topologySpreadConstraints, imagePullSecrets, image.pullPolicy, resources, podLabels, podAnnotations, " +
		"terminationGracePeriodSeconds; also below server) and looks for them in OpenBao's pods; and host, port, " +
		"database and username of the connection, and looks for them in its URL. Sets each value whose " +
		"name ends in Secret to another name, beside its empty neighbours, and looks for that name wherever " +
		"something changes.",
	chart: reaching,
}}

// probeText and probeNumber stand in no chart.
const probeText, probeNumber = "steamer-probe", 77777

// podValues are values for pods by their key.
var podValues = map[string]any{
	"priorityClassName": probeText,
	"nodeSelector":      map[string]any{probeText: probeText},
	"tolerations":       []any{map[string]any{"key": probeText, "operator": "Exists"}},
	"affinity": map[string]any{"podAntiAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": []any{
		map[string]any{"topologyKey": "steamer.io/" + probeText},
	}}},
	"topologySpreadConstraints": []any{map[string]any{
		"maxSkew": 1, "topologyKey": "steamer.io/" + probeText, "whenUnsatisfiable": "ScheduleAnyway",
	}},
	"imagePullSecrets":              []any{map[string]any{"name": probeText}},
	"image.pullPolicy":              "Never",
	"resources":                     map[string]any{"requests": map[string]any{"cpu": fmt.Sprint(probeNumber)}},
	"podLabels":                     map[string]any{probeText: probeText},
	"podAnnotations":                map[string]any{probeText: probeText},
	"terminationGracePeriodSeconds": probeNumber,
}

func reaching(s *subject) []Finding {
	var all []Finding
	if len(s.bases()) == 0 {
		return nil
	}
	for name, value := range podValues {
		for _, path := range []string{name, "server." + name} {
			if !s.has(path) {
				continue
			}
			c := s.probe(map[string]any{path: value})
			for _, server := range serverConfigs(c) {
				for _, p := range server.pods(c) {
					text, _ := json.Marshal(p.object.field("spec", "template"))
					if !containsAny(string(text), probeText, fmt.Sprint(probeNumber), `"imagePullPolicy":"Never"`) {
						all = append(all, seen(s.aboutValue(path, "does not reach the pods of "+p.object.ID()), c))
					}
				}
			}
		}
	}
	for name, value := range urlValues {
		if !s.has(connectionKeys + name) {
			continue
		}
		c := s.probe(map[string]any{connectionKeys + name: value})
		server := serverConfig(c)
		if server == nil {
			continue
		}
		if text, _ := server.get("storage", "postgresql", "connection_url").(string); !strings.Contains(text,
			fmt.Sprint(value)) {
			all = append(all, seen(s.aboutValue(connectionKeys+name, "does not reach the connection URL"), c))
		}
	}
	return append(all, s.misnamed()...)
}

// urlValues are values for the connection URL by their key.
var urlValues = map[string]any{"host": probeText, "port": 7777, "database": probeText, "username": probeText}

const connectionKeys = "config.storage.postgresql.connection."

func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

// misnamed lists the values for names of Secrets that change something and stand nowhere.
func (s *subject) misnamed() []Finding {
	if s.everything == nil {
		return nil // values are not tried
	}
	var all []Finding
	noise := s.noise()
	for _, leaf := range s.leaves {
		current, isText := leaf.Value.(string)
		if last := leaf.Path[len(leaf.Path)-1]; !isText || !strings.HasSuffix(strings.ToLower(last), "secret") {
			continue
		}
		changes, found := false, false
		for _, c := range append([]*Case{s.bases()[0], s.everything}, s.filled(leaf)...) {
			documents, err := s.renderWith(c, mutate.Set(c.Values, leaf.Path, probeText), leaf.Path)
			if err != nil {
				continue
			}
			changes = changes || noise.differ(c.documents, documents)
			for _, document := range documents {
				found = found || strings.Contains(document.Text, probeText)
			}
		}
		if changes && !found {
			all = append(all, s.aboutValue(leaf.Path.String(), fmt.Sprintf(
				"is read, but a name that it is given comes out nowhere (default %q)", current)))
		}
	}
	return all
}
