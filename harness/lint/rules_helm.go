package lint

import (
	"errors"
	"path"
	"regexp"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
)

var helmRules = []Rule{
	{
		ID: "helm/lint", Title: "helm lint has no remark", Severity: Error,
		Protects: "A chart that Helm itself refuses or warns about surprises whoever packages or installs it.",
		Hint:     "helm lint shows the same remark with the same values",
		Detail: "Runs helm lint of the Helm library with the values of each base case. Helm's warnings are warnings " +
			"here. What Helm says of templates that do not render is left to helm/renders.",
		chart: lint,
	},
	{
		ID: "helm/renders", Title: "every topology and ci values file renders", Severity: Error,
		Protects: "A template error stops the release at its first step, often in a feature that nobody turned on before.",
		Hint:     "give the value that it asks for, or correct the template that the message names",
		Detail: "Renders the topologies, the ci/*-values.yaml and the defaults; each switch of the values (a boolean or " +
			"an enumeration) in its other position; and the first base under another release name, one of 53 characters, " +
			"nameOverride and fullnameOverride. The defaults may need values, and a switch may need others beside it: that " +
			"is said as information and is no fault.",
		chart: renders,
	},
	{
		ID: "helm/values-schema", Title: "the ci values fit the chart's schema", Severity: Error,
		Protects: "Without a schema a mistyped key is ignored without a word; with a wrong one, valid values are refused.",
		Hint:     "correct the values file or values.schema.json",
		Detail: "A ci values file that the schema refuses is an error, a chart without values.schema.json a warning. A key " +
			"that stands twice in values.yaml, Chart.yaml or the schema is an error: Helm keeps the last. " +
			"References of the schema to other documents are not followed and reported.",
		chart: valuesSchema,
	},
}

func lint(s *subject) []Finding {
	bases := s.bases()
	messages, failures := make([][]chart.LintMessage, len(bases)), make([]error, len(bases))
	inParallel(len(bases), func(i int) {
		messages[i], failures[i] = s.chart.Lint(namespace, s.api.Version, bases[i].Values)
	})
	if err := errors.Join(failures...); err != nil {
		return []Finding{{Message: "helm lint did not run: " + err.Error()}}
	}
	var all []Finding
	for i, c := range bases {
		for _, m := range messages[i] {
			// A list has no name, and helm lint no cluster. Objects without a name are kube/yaml's.
			if strings.Contains(m.Text, `naming requirements: "":`) || m.Line > 0 && len(c.needs) > 0 {
				continue
			}
			finding := Finding{File: m.File, Line: m.Line, Message: oneLine(m.Text), Severity: Warning, Cases: []string{c.Name}}
			if m.Error {
				finding.Severity = Error
			}
			all = append(all, finding)
		}
	}
	return all
}

// demand says whether a template stopped because a value is missing, and not because of a defect.
func demand(err error) bool {
	text := err.Error()
	return strings.Contains(text, "error calling required") || strings.Contains(text, "error calling fail") ||
		strings.Contains(text, "execution error at")
}

func renders(s *subject) []Finding {
	var all []Finding
	for _, c := range s.cases {
		if c.Err == nil && len(c.needs) > 0 {
			all = append(all, Finding{
				Severity: Info, Message: "renders only where the cluster has " + strings.Join(c.needs, ", ") +
					", which was taken to be there", Cases: []string{c.Name},
				Hint: "helm template and GitOps tools without lookup fail here",
			})
		}
		if c.Err == nil || c.ci != "" && errors.Is(c.Err, chart.ErrValues) {
			continue
		}
		finding := Finding{Message: "does not render: " + reason(c.Err), Cases: []string{c.Name}}
		finding.File, finding.Line = chart.TemplatePlace(c.Err)
		wanting := demand(c.Err) || errors.Is(c.Err, chart.ErrValues) || len(c.needs) > 0
		if wanting && (c.Kind != Base || c.Name == defaultsCase || len(c.needs) > 0) {
			finding.Severity = Info
			finding.Message = "not checked, needs more values: " + reason(c.Err)
			finding.Hint = "a ci/*-values.yaml that sets them is rendered and checked"
			if len(c.needs) > 0 {
				finding.Message = "not checked, looks in the cluster for " + strings.Join(c.needs, ", ") + ": " + reason(c.Err)
				finding.Hint = "steamer run tries it on a cluster"
			}
		}
		if c.Kind != Base {
			finding.Path = c.path.String()
		}
		all = append(all, finding)
	}
	for _, name := range s.coverage.Unrendered {
		all = append(all, Finding{
			Severity: Info, File: name, Message: "rendered nothing in any case, so that nothing in it was checked",
			Hint: "a ci/*-values.yaml that turns it on is rendered and checked",
		})
	}
	if len(s.bases()) == 0 {
		all = append(all, Finding{
			Message: "no case renders, so that no other rule had anything to look at",
			Hint:    "--values FILE gives the values that the chart requires",
		})
	}
	return all
}

// reason is the cause of an error on one line, without the hint; of nested template errors it is
// the innermost.
func reason(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n  hint: ")
	if i := strings.LastIndex(text, "executing \""); i >= 0 {
		text = text[i:]
	}
	return oneLine(text)
}

// twice look for a key that stands twice in the files of a chart and its sub-charts of which Helm
// keeps one without a word.
var twice = map[string]func(string) error{
	"values.yaml": checkYAML, "Chart.yaml": checkYAML, "values.schema.json": checkJSON,
}

var chartFile = regexp.MustCompile(`^(charts/[^/]+/)*(values\.yaml|Chart\.yaml|values\.schema\.json)$`)

func valuesSchema(s *subject) []Finding {
	var all []Finding
	for _, c := range s.cases {
		if c.ci != "" && c.Err != nil && errors.Is(c.Err, chart.ErrValues) {
			all = append(all, Finding{File: c.ci, Message: reason(c.Err), Cases: []string{c.Name}})
		}
	}
	for name, data := range s.chart.Files(chartFile.MatchString) {
		if err := twice[path.Base(name)](string(data)); errors.Is(err, errTwice) {
			all = append(all, Finding{File: name, Message: "has a key twice, of which Helm keeps the last: " +
				oneLine(err.Error())})
		}
	}
	for _, remote := range s.renderer.RemoteSchemas() {
		all = append(all, Finding{
			Severity: Warning, File: "values.schema.json", Message: "not checked: refers to " + remote +
				", which Helm fetches at every installation and upgrade; without network both fail",
			Hint: "put the definition into the schema itself",
		})
	}
	schema, err := s.chart.Schema()
	switch {
	case err != nil:
		all = append(all, Finding{File: "values.schema.json", Message: reason(err)})
	case schema == nil:
		all = append(all, Finding{
			Severity: Warning, File: "values.schema.json", Message: "the chart has no schema: mistyped values are ignored",
			Hint: "add a values.schema.json",
		})
	}
	return all
}
