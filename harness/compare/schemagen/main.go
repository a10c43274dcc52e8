// Schemagen writes the JSON schema of compare.Comparison, with the field comments
// of the Go source as descriptions. It must run in the directory of package
// compare, as go generate does.
//
// Usage: schemagen <output file>
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/invopop/jsonschema"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/result"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "schemagen: want 1 argument, the output file")
		os.Exit(1)
	}
	b, err := generate()
	if err == nil {
		err = os.WriteFile(os.Args[1], b, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

// generate renders the schema.
func generate() ([]byte, error) {
	var r jsonschema.Reflector
	for pkg, dir := range map[string]string{"compare": ".", "result": "../result"} {
		if err := r.AddGoComments("gitlab.com/steamer/steamer/harness/"+pkg, dir, jsonschema.WithFullComment()); err != nil {
			return nil, fmt.Errorf("read the comments of package %s: %w", pkg, err)
		}
	}
	s := r.Reflect(&compare.Comparison{})
	s.ID = "https://gitlab.com/steamer/steamer/-/raw/main/docs/reference/comparison.schema.json"
	s.Title = "Steamer comparison, " + result.APIVersion
	verdicts := []any{result.Pass, result.Fail, result.Inconclusive}
	for _, f := range []struct {
		def, field string
		values     []any
	}{
		{"Comparison", "verdict", verdicts},
		{"Metric", "verdict", verdicts},
		{"Outcome", "verdict", verdicts},
		{"Look", "verdict", verdicts},
		{"Comparison", "apiVersion", []any{result.APIVersion}},
		{"Comparison", "kind", []any{compare.Kind}},
		{"Functional", "a", []any{result.Passed, result.Failed, result.Skipped}},
		{"Functional", "b", []any{result.Passed, result.Failed, result.Skipped}},
		{"Pair", "order", []any{"AB", "BA"}},
		{"Metric", "change", []any{"more", "less", "none shown", ""}},
	} {
		d := s.Definitions[f.def]
		if d == nil || d.Properties == nil {
			return nil, fmt.Errorf("type %s is gone from package compare", f.def)
		}
		p, ok := d.Properties.Get(f.field)
		if !ok {
			return nil, fmt.Errorf("the field %s of %s is gone from package compare", f.field, f.def)
		}
		p.Type, p.Enum = "string", f.values
	}
	for _, d := range s.Definitions {
		nullable(d)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// nullable lets arrays and maps of d be null, which is how Go writes empty ones.
func nullable(d *jsonschema.Schema) {
	if d.Properties == nil {
		return
	}
	for p := d.Properties.Oldest(); p != nil; p = p.Next() {
		if p.Value.Type != "array" && (p.Value.Type != "object" || p.Value.AdditionalProperties == nil) {
			continue
		}
		inner := *p.Value
		inner.Description = ""
		p.Value = &jsonschema.Schema{Description: p.Value.Description, OneOf: []*jsonschema.Schema{&inner, {Type: "null"}}}
	}
}
