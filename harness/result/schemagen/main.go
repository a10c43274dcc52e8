// Schemagen writes the JSON schema of result.Result, with the field comments of
// the Go source as descriptions, so that other tools can check and read results.
// It must run in the directory of package result, as go generate does.
//
// Usage: schemagen <output file>
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/invopop/jsonschema"
	"gitlab.com/steamer/steamer/harness/result"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want 1 argument, the output file, not %d", len(args))
	}
	b, err := generate()
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], b, 0o644)
}

// generate renders the schema.
func generate() ([]byte, error) {
	var r jsonschema.Reflector
	if err := r.AddGoComments("gitlab.com/steamer/steamer/harness/result", ".", jsonschema.WithFullComment()); err != nil {
		return nil, fmt.Errorf("read the comments of package result: %w", err)
	}
	s := r.Reflect(&result.Result{})
	s.ID = "https://gitlab.com/steamer/steamer/-/raw/main/docs/reference/result.schema.json"
	s.Title = "Steamer result, " + result.APIVersion
	err := errors.Join(
		enum(field(s, "Result", "verdict"), result.Pass, result.Fail, result.Inconclusive),
		enum(field(s, "Topology", "verdict"), result.Pass, result.Fail, result.Inconclusive),
		enum(field(s, "Check", "verdict"), result.Pass, result.Fail, result.Inconclusive),
		enum(field(s, "Scenario", "status"), result.Passed, result.Failed, result.Skipped),
		enum(field(s, "Result", "apiVersion"), result.APIVersion),
		enum(field(s, "Result", "kind"), result.Kind),
		enum(field(s, "Check", "kind"), "slo", "validity"),
		enum(field(s, "Interval", "phase"), "warmup", "measure", "excursion"),
	)
	if err != nil {
		return nil, err
	}
	// A nil slice is written as null, and every reader must expect it.
	for _, d := range s.Definitions {
		nullable(d)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// field finds a field's schema; nil when a renaming made this program stale.
func field(s *jsonschema.Schema, def, name string) *jsonschema.Schema {
	d := s.Definitions[def]
	if d == nil || d.Properties == nil {
		return nil
	}
	f, _ := d.Properties.Get(name)
	return f
}

// enum restricts a schema to the given values.
func enum[T ~string](s *jsonschema.Schema, values ...T) error {
	if s == nil {
		return fmt.Errorf("the field with the values %v is gone from package result", values)
	}
	s.Type = "string"
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return nil
}

// nullable lets every array and map property of d be null.
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
