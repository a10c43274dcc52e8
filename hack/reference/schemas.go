package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

const module = "gitlab.com/steamer/steamer"

// field names a field of a schema: the definition and the property.
type field struct{ def, property string }

// schemaFile is a schema to generate.
type schemaFile struct {
	file, title string
	of          []string // directories of the packages that the types are of
	value       any
	enums       map[field][]string
	optional    []field // what may be left out although its JSON name says nothing of that
	// nullable lets arrays and maps be null: that is how Go writes nil ones, and every reader must
	// expect it.
	nullable bool
}

func resultSchema(root string) ([]byte, error) {
	return schemaFile{
		file: "result.schema.json", title: "Steamer result", of: []string{"harness/result"}, value: &result.Result{},
		enums: map[field][]string{
			{"Result", "apiVersion"}: {result.APIVersion}, {"Result", "kind"}: {result.Kind},
			{"Result", "verdict"}: verdicts(), {"Topology", "verdict"}: verdicts(), {"Check", "verdict"}: verdicts(),
			{"Check", "kind"}: {"slo", "validity"}, {"Scenario", "status"}: statuses(),
			{"Scenario", "subject"}: {
				string(result.SubjectChart), string(result.SubjectServer), string(result.SubjectGitLab),
			},
			{"Interval", "phase"}: {"warmup", "measure", "excursion"},
		},
		nullable: true,
	}.generate(root)
}

func comparisonSchema(root string) ([]byte, error) {
	return schemaFile{
		file: "comparison.schema.json", title: "Steamer comparison", of: []string{"harness/compare", "harness/result"},
		value: &compare.Comparison{},
		enums: map[field][]string{
			{"Comparison", "apiVersion"}: {result.APIVersion}, {"Comparison", "kind"}: {compare.Kind},
			{"Comparison", "verdict"}: verdicts(), {"Metric", "verdict"}: verdicts(), {"Outcome", "verdict"}: verdicts(),
			{"Interim", "verdict"}: verdicts(), {"Functional", "a"}: statuses(), {"Functional", "b"}: statuses(),
			{"Pair", "order"}: {"AB", "BA"}, {"Metric", "change"}: {"more", "less", "none shown", ""},
		},
		nullable: true,
	}.generate(root)
}

func verdicts() []string {
	return []string{string(result.Pass), string(result.Fail), string(result.Inconclusive)}
}

func statuses() []string {
	return []string{string(result.Passed), string(result.Failed), string(result.Skipped)}
}

func sloSchema(root string) ([]byte, error) {
	return schemaFile{
		file: "slo.schema.json", title: "Steamer objectives", of: []string{"harness/judge"}, value: &judge.SLO{},
		enums: map[field][]string{
			{"SLO", "apiVersion"}: {result.APIVersion}, {"SLO", "kind"}: {"SLO"}, {"Limit", "metric"}: judge.Metrics(),
			{"Limit", "op"}:      {"<=", ">="},
			{"Outage", "change"}: judge.OutageChanges(), {"Outage", "strategy"}: judge.OutageStrategies(),
			{"Entry", "topology"}: append(judge.Topologies(), judge.Any), {"Entry", "mode"}: load.ProfileModes(),
		},
		optional: []field{{"SLO", "name"}, {"SLO", "environmentLatency"}, {"Reference", "investigate"}},
	}.generate(root)
}

func planSchema(root string) ([]byte, error) {
	d := schemaFile{
		file: "plan.schema.json", title: "Steamer plan", of: []string{"harness/plan"}, value: &plan.Plan{},
		enums: map[field][]string{
			{"Plan", "apiVersion"}: {result.APIVersion}, {"Plan", "kind"}: {plan.Kind},
			{"Plan", "tier"}: tiers(),
		},
	}
	// What a plan file leaves out is steamer run's default.
	for _, t := range []reflect.Type{reflect.TypeFor[plan.Plan](), reflect.TypeFor[plan.ClusterPlan]()} {
		for i := range t.NumField() {
			if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "apiVersion" && name != "kind" {
				d.optional = append(d.optional, field{t.Name(), name})
			}
		}
	}
	return d.generate(root)
}

func baselineSchema(root string) ([]byte, error) {
	return schemaFile{
		file: "baseline.schema.json", title: "Steamer baseline of findings", of: []string{"harness/lint"},
		value: &lint.Baseline{},
		enums: map[field][]string{
			{"Baseline", "apiVersion"}: {lint.APIVersion}, {"Baseline", "kind"}: {lint.BaselineKind},
			{"Accepted", "severity"}: {string(lint.Error), string(lint.Warning)},
		},
	}.generate(root)
}

func profileSchema(root string) ([]byte, error) {
	return schemaFile{
		file: "profile.schema.json", title: "Steamer load profile", of: []string{"harness/load"}, value: &load.Profile{},
		enums: map[field][]string{
			{"Profile", "apiVersion"}: {result.APIVersion}, {"Profile", "kind"}: {"Profile"},
			{"Profile", "mode"}:   load.ProfileModes(),
			{"Tenants", "choice"}: load.Choices(), {"JobTokens", "algorithm"}: load.Algorithms(),
		},
		optional: []field{
			{"Profile", "description"},
			{"Profile", "duration"},
			{"Profile", "warmup"},
			{"Profile", "connections"},
			{"Connections", "reuse"},
		},
	}.generate(root)
}

func tiers() []string {
	var names []string
	for _, t := range load.Tiers() {
		names = append(names, t.Name)
	}
	return names
}

// generate renders the schema, with the comments of the Go source as descriptions.
func (d schemaFile) generate(root string) ([]byte, error) {
	r := jsonschema.Reflector{Mapper: func(t reflect.Type) *jsonschema.Schema {
		if t == reflect.TypeFor[plan.Shards]() {
			return &jsonschema.Schema{Pattern: `^(auto|[1-9][0-9]*)$`, Examples: []any{"auto", 3}}
		}
		if t != reflect.TypeFor[document.Duration]() {
			return nil
		}
		return &jsonschema.Schema{
			Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`,
			Examples: []any{"15s", "1m30s"},
		}
	}}
	if err := within(root, func() (err error) {
		for _, dir := range d.of {
			err = errors.Join(err, r.AddGoComments(module, dir, jsonschema.WithFullComment()))
		}
		return err
	}); err != nil {
		return nil, err
	}
	unwrap(r.CommentMap)
	s := r.Reflect(d.value)
	s.ID, s.Title = jsonschema.ID("https://"+module+"/-/raw/main/docs/reference/"+d.file), d.title+", "+result.APIVersion
	for f, values := range d.enums {
		p, err := f.find(s)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			p.Enum = append(p.Enum, v)
		}
	}
	if d.file == "plan.schema.json" {
		p, err := field{"Plan", "topologies"}.find(s)
		if err != nil {
			return nil, err
		}
		for _, name := range topology.Names() {
			p.Items.Enum = append(p.Items.Enum, name)
		}
	}
	for _, f := range d.optional {
		if _, err := f.find(s); err != nil {
			return nil, err
		}
		def := s.Definitions[f.def]
		def.Required = slices.DeleteFunc(def.Required, func(name string) bool { return name == f.property })
	}
	for _, t := range s.Definitions {
		if d.nullable {
			nullable(t)
		}
	}
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// unwrap puts each paragraph of the comments on one line, so that where the source breaks a line
// does not show in a schema.
func unwrap(comments map[string]string) {
	for name, text := range comments {
		paragraphs := strings.Split(text, "\n\n")
		for i, p := range paragraphs {
			paragraphs[i] = strings.ReplaceAll(p, "\n", " ")
		}
		comments[name] = strings.Join(paragraphs, "\n\n")
	}
}

// nullable lets arrays and maps of a type be null.
func nullable(t *jsonschema.Schema) {
	if t.Properties == nil {
		return
	}
	for p := t.Properties.Oldest(); p != nil; p = p.Next() {
		if p.Value.Type != "array" && (p.Value.Type != "object" || p.Value.AdditionalProperties == nil) {
			continue
		}
		inner := *p.Value
		inner.Description = ""
		p.Value = &jsonschema.Schema{Description: p.Value.Description, OneOf: []*jsonschema.Schema{&inner, {Type: "null"}}}
	}
}

// find returns the field's schema; an error when a renaming made this program stale.
func (f field) find(s *jsonschema.Schema) (*jsonschema.Schema, error) {
	if def := s.Definitions[f.def]; def != nil && def.Properties != nil {
		if p, ok := def.Properties.Get(f.property); ok {
			return p, nil
		}
	}
	return nil, fmt.Errorf("there is no field %s.%s any more", f.def, f.property)
}

// within runs do in the directory root, because the reflector takes package paths only relative to
// the working directory.
func within(root string, do func() error) (err error) {
	old, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	defer func() {
		if back := os.Chdir(old); err == nil {
			err = back
		}
	}()
	return do()
}
