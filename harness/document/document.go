// Package document reads and writes the files of Steamer: those that people write, in YAML, and
// those that Steamer writes, in JSON. One strictness holds for all of them: an unknown, duplicated
// or wrongly cased field, a second document and a value that is not finite are errors, because a
// misspelt threshold that is silently ignored is worse than none.
package document

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// MaxYAML is how many bytes a YAML document may have at most: 4 MiB. What people write is far
// smaller, and parsing takes a hundredfold of the memory.
const MaxYAML = 4 << 20

// ErrEmpty is the error of a document without content, such as one of comments only.
var ErrEmpty = errors.New("the document is empty")

// JSON decodes exactly one JSON value into v, which must be a pointer. The error names the first
// problems; it quotes field names, never values.
func JSON(data []byte, v any) error { return strict(data, v, nil) }

// strict decodes JSON; root is the YAML that it was made from, to say where problems are, or nil.
func strict(data []byte, v any, root *yamlv3.Node) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return ErrEmpty
	}
	loose, err := kjson.UnmarshalStrict(data, v)
	if is, at := kjson.SyntaxErrorOffset(err); is {
		return fmt.Errorf("not valid JSON at byte %d of %d: %w", at, len(data), err)
	}
	if err != nil || len(loose) == 0 {
		return plain(err, root)
	}
	const shown = 5
	var texts []string
	for _, problem := range loose[:min(len(loose), shown)] {
		line := ""
		if at, ok := problem.(kjson.FieldError); ok {
			line = lineOf(root, at.FieldPath())
		}
		texts = append(texts, line+problem.Error())
	}
	if more := len(loose) - shown; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return errors.New(strings.Join(texts, "; "))
}

// plain words an error about the type of a value without Go's names; others it returns as they
// are.
func plain(err error, root *yamlv3.Node) error {
	var mistyped *json.UnmarshalTypeError
	if !errors.As(err, &mistyped) {
		return err
	}
	what := cmp.Or(mistyped.Field, "the document")
	return fmt.Errorf("%s%s: want %s, not %s", lineOf(root, mistyped.Field), what, wanted(mistyped.Type),
		found(mistyped.Value))
}

// wanted names a Go type in the words of YAML.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wanted(t.Elem())
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number that fits " + t.String()
	}
}

// found names what JSON has in the words of YAML.
func found(value string) string {
	words := map[string]string{"string": "a text", "bool": "true or false", "array": "a list", "object": "a mapping"}
	return cmp.Or(words[value], "the "+value)
}

// YAML decodes exactly one YAML document into v, which must be a pointer to a type with json tags.
// JSON is YAML, too. Errors are those of JSON, with the line where it is known.
func YAML(data []byte, v any) error {
	root, asJSON, err := convert(data, v)
	if err != nil {
		return err
	}
	return strict(asJSON, v, root)
}

// byteOrderMark is what some editors begin a file with. YAML allows it.
var byteOrderMark = []byte("\ufeff")

// convert makes JSON of a YAML document. Where v wants a text and the document has a number or a
// boolean, as in "tier: 12", JSON has a text.
func convert(data []byte, v any) (root *yamlv3.Node, asJSON []byte, err error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	if root, err = parse(data); err != nil {
		return nil, nil, err
	}
	var converted json.RawMessage
	var decodeErr error
	// The library keeps the conversion to itself, but lets an option see it. With null in its
	// place the library then decodes nothing into v.
	take := func(d *json.Decoder) *json.Decoder {
		decodeErr = d.Decode(&converted)
		return json.NewDecoder(strings.NewReader("null"))
	}
	if err := errors.Join(yaml.UnmarshalStrict(data, v, take), decodeErr); err != nil {
		return nil, nil, notYAML(err)
	}
	return root, converted, nil
}

// parse reads the one document that there is, and refuses what the conversion would drop or cannot
// write.
func parse(data []byte) (*yamlv3.Node, error) {
	if len(data) > MaxYAML {
		return nil, fmt.Errorf("%d bytes are more than the %d that such a file may have", len(data), MaxYAML)
	}
	d := yamlv3.NewDecoder(bytes.NewReader(data))
	var first, second yamlv3.Node
	if err := d.Decode(&first); errors.Is(err, io.EOF) {
		return nil, ErrEmpty
	} else if err != nil {
		return nil, notYAML(err)
	}
	if len(first.Content) == 0 || first.Content[0].ShortTag() == "!!null" {
		return nil, ErrEmpty
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document, or text after the first")
	}
	return first.Content[0], checkNode(first.Content[0])
}

// notYAML is a parser's error on one line.
func notYAML(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return errors.New("not valid YAML: " + strings.TrimPrefix(text, "yaml: "))
}

// checkNode refuses keys that occur twice and numbers that JSON does not have.
func checkNode(n *yamlv3.Node) error {
	seen := map[string]bool{}
	for i, child := range n.Content {
		if n.Kind == yamlv3.MappingNode && i%2 == 0 {
			if seen[child.Value] && child.Kind == yamlv3.ScalarNode {
				return fmt.Errorf("line %d: the key %q occurs twice", child.Line, child.Value)
			}
			seen[child.Value] = true
		}
		if err := checkNode(child); err != nil {
			return err
		}
	}
	if n.Kind == yamlv3.ScalarNode && n.ShortTag() == "!!float" {
		var v float64
		if err := n.Decode(&v); err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("line %d: %s is not a finite number", n.Line, n.Value)
		}
	}
	return nil
}

// lineOf is "line 7: " for the place of a field in a document, or empty where it is not known.
func lineOf(n *yamlv3.Node, path string) string {
	for n != nil && path != "" {
		n, path = step(n, path)
	}
	if n == nil {
		return ""
	}
	return "line " + strconv.Itoa(n.Line) + ": "
}

// step goes one key or index down a path such as entries[0].limits; nil is nowhere.
func step(n *yamlv3.Node, path string) (next *yamlv3.Node, rest string) {
	path = strings.TrimPrefix(path, ".")
	if n.Kind == yamlv3.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yamlv3.SequenceNode:
		digits, rest, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
		if i, err := strconv.Atoi(digits); ok && err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], rest
		}
	case yamlv3.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			rest, ok := strings.CutPrefix(path, n.Content[i].Value)
			switch {
			case ok && rest == "":
				return n.Content[i], "" // the key's own line, not that of a list below it
			case ok && (rest[0] == '.' || rest[0] == '['):
				return n.Content[i+1], rest
			}
		}
	}
	return nil, ""
}
