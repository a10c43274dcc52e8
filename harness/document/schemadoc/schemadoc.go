// Package schemadoc makes the published JSON schemas of Steamer's documents from their Go types,
// with the field comments of the source as descriptions.
package schemadoc

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/invopop/jsonschema"
)

// module is what the packages' import paths begin with.
const module = "gitlab.com/steamer/steamer/harness/"

// Document says what a schema is to be made of.
type Document struct {
	Of    any    // pointer to the type of the whole
	File  string // its name in docs/reference
	Title string
	// Comments are the packages to take descriptions from, by their paths below harness, with
	// their directories.
	Comments map[string]string
	Enums    []Enum
}

// Enum restricts a string field to values.
type Enum struct {
	Type, Field string // Go's name of the struct, JSON's of the field
	Values      []any
}

// Generate renders the schema. A type or field of Enums that is gone is an error.
func (d Document) Generate() ([]byte, error) {
	var r jsonschema.Reflector
	for pkg, dir := range d.Comments {
		if err := r.AddGoComments(module+pkg, dir, jsonschema.WithFullComment()); err != nil {
			return nil, fmt.Errorf("read the comments of package %s: %w", pkg, err)
		}
	}
	Unwrap(r.CommentMap)
	s := r.Reflect(d.Of)
	s.ID = jsonschema.ID("https://gitlab.com/steamer/steamer/-/raw/main/docs/reference/" + d.File)
	s.Title = d.Title
	for _, e := range d.Enums {
		t := s.Definitions[e.Type]
		if t == nil || t.Properties == nil {
			return nil, fmt.Errorf("type %s, a field of which has the values %v, is gone", e.Type, e.Values)
		}
		p, ok := t.Properties.Get(e.Field)
		if !ok {
			return nil, fmt.Errorf("the field %s of %s, which has the values %v, is gone", e.Field, e.Type, e.Values)
		}
		p.Type, p.Enum = "string", e.Values
	}
	for _, t := range s.Definitions {
		nullable(t)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// Unwrap puts each paragraph of the comments on one line, so that where the source breaks a line
// does not show in a schema.
func Unwrap(comments map[string]string) {
	for name, text := range comments {
		paragraphs := strings.Split(text, "\n\n")
		for i, p := range paragraphs {
			paragraphs[i] = strings.ReplaceAll(p, "\n", " ")
		}
		comments[name] = strings.Join(paragraphs, "\n\n")
	}
}

// nullable lets arrays and maps be null: that is how Go writes nil ones, and every reader must
// expect it.
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

// Main is the main function of a program whose one argument is the file to write.
func Main(generate func() ([]byte, error)) {
	if err := write(os.Args[1:], generate); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func write(args []string, generate func() ([]byte, error)) error {
	if len(args) != 1 {
		return fmt.Errorf("want 1 argument, the output file, not %d", len(args))
	}
	b, err := generate()
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], b, 0o644)
}
