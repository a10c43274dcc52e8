// Package document decodes JSON and YAML without mercy: unknown, duplicated and
// wrongly cased fields, several documents and trailing data are errors, because
// a misspelt threshold that is silently ignored is worse than none.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	yamlv3 "go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// JSON decodes exactly one JSON value into v, which must be a pointer.
// The error names the first problem; it never quotes more than a field name.
func JSON(data []byte, v any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("the document is empty")
	}
	loose, err := kjson.UnmarshalStrict(data, v)
	if err != nil {
		if is, at := kjson.SyntaxErrorOffset(err); is {
			return fmt.Errorf("not valid JSON at byte %d of %d: %w", at, len(data), err)
		}
		return err
	}
	return errors.Join(loose...)
}

// YAML decodes exactly one YAML document into v, which must be a pointer to a
// type with json tags.
func YAML(data []byte, v any) error {
	if err := oneDocument(data); err != nil {
		return err
	}
	asJSON, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return err
	}
	if string(asJSON) == "null" {
		return errors.New("the document is empty")
	}
	return JSON(asJSON, v)
}

// oneDocument refuses a second document, which the converter would silently drop.
func oneDocument(data []byte) error {
	d := yamlv3.NewDecoder(bytes.NewReader(data))
	var first, second yamlv3.Node
	if err := d.Decode(&first); errors.Is(err, io.EOF) {
		return errors.New("the document is empty")
	} else if err != nil {
		return err
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document, or text after the first")
	}
	return nil
}

// Duration is a time.Duration written as Go writes it, such as "1m30s".
type Duration time.Duration

// UnmarshalJSON parses a Go duration string. A bare number is refused, since its unit would be a
// guess.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("duration %s needs a unit, for example \"15s\"", b)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// MarshalJSON writes the duration as a Go duration string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }
