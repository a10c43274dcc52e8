package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Codec reads and writes one kind of file. All errors of reading are of code exit.Invalid: the
// file, what is wrong with it, and how to get a good one.
type Codec[T any] struct {
	APIVersion, Kind string // what the file has to say of itself
	YAML             bool   // people write it: YAML or JSON of at most MaxYAML bytes; else JSON of Steamer
	Input            string // what errors put before the name of the file, such as "--plan"; may be empty
	Hint             string // where a good file comes from
	// Check refuses what the type allows, nil for nothing. An exit.Error of it gives a hint of its
	// own, and its Input is a place in the file.
	Check func(*T) error
}

// Decode reads a file's content; name is the file's in errors.
func (c Codec[T]) Decode(name string, data []byte) (*T, error) {
	v := new(T)
	if err := c.DecodeInto(name, data, v); err != nil {
		return nil, err
	}
	return v, nil
}

// DecodeInto reads a file's content over v, whose fields stay where the file does not name them.
func (c Codec[T]) DecodeInto(name string, data []byte, v *T) error {
	name = strings.TrimSpace(c.Input + " " + name)
	fromOther, edited := c.Hint, c.Hint
	if !c.YAML {
		fromOther, edited = "use the Steamer release that wrote it", "use the file as Steamer wrote it"
	}
	asJSON, root := data, (*yamlv3.Node)(nil)
	if c.YAML {
		var err error
		if root, asJSON, err = convert(data, v); err != nil {
			return exit.Invalidf(name, c.Hint, "%w", err)
		}
	}
	if err := c.checkHead(name, asJSON); err != nil {
		return err
	}
	if err := strict(asJSON, v, root); err != nil {
		return exit.Invalidf(name, fromOther, "%w", err)
	}
	if c.Check == nil {
		return nil
	}
	err := c.Check(v)
	var own *exit.Error
	switch {
	case errors.As(err, &own) && own.Input == "":
		return exit.Invalidf(name, own.Hint, "%w", own.Cause)
	case own != nil:
		return exit.Invalidf(name, own.Hint, "%s: %w", own.Input, own.Cause)
	case err != nil:
		return exit.Invalidf(name, edited, "%w", err)
	}
	return nil
}

// checkHead decides whether JSON is of the kind, and of a version that can be read.
func (c Codec[T]) checkHead(name string, data []byte) error {
	var h Head
	if err := json.Unmarshal(data, &h); err != nil {
		return exit.Invalidf(name, c.Hint, "not a complete JSON document: %w", plain(err, nil))
	}
	if h.APIVersion == c.APIVersion && h.Kind == c.Kind {
		return nil
	}
	if h.Kind == c.Kind && version(h.APIVersion) > version(c.APIVersion) {
		return exit.Invalidf(name, "use a Steamer release that knows "+strconv.Quote(h.APIVersion),
			"apiVersion %q is newer than %q, which this release reads", h.APIVersion, c.APIVersion)
	}
	hint := c.Hint
	if c.YAML {
		hint = fmt.Sprintf("begin it with \"apiVersion: %s\" and \"kind: %s\"", c.APIVersion, c.Kind)
	}
	return exit.Invalidf(name, hint, "apiVersion %q, kind %q: want %q, %q", h.APIVersion, h.Kind, c.APIVersion, c.Kind)
}

// version is the number of a version of Steamer's own; 0 for another's.
func version(v string) int {
	digits, ok := strings.CutPrefix(v, "steamer/v")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return 0
	}
	return n
}

// ReadFile reads the file at path.
func (c Codec[T]) ReadFile(path string) (*T, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Invalidf(strings.TrimSpace(c.Input+" "+path), c.Hint, "%w", err)
	}
	return c.Decode(path, data)
}

// Encode renders v as indented JSON. It fails on values that JSON cannot hold and on what Decode
// would refuse.
func (c Codec[T]) Encode(v *T) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written as JSON: %w", c.Kind, err)
	}
	err = c.checkHead(c.Kind, b)
	if err == nil && c.Check != nil {
		err = c.Check(v)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not well formed: %w", c.Kind, err)
	}
	return append(b, '\n'), nil
}

// WriteFile writes v to path as Encode renders it and as WriteFile writes.
func (c Codec[T]) WriteFile(path string, v *T) error {
	data, err := c.Encode(v)
	if err != nil {
		return err
	}
	return WriteFile(path, data)
}

// Head is what a file of Steamer says of itself.
type Head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// HeadOf reads the head of a JSON or YAML document of any kind; empty where it has none. An error
// says that the document is neither, or not a mapping.
func HeadOf(data []byte) (h Head, err error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	jsonErr := json.Unmarshal(data, &h)
	if jsonErr == nil {
		return h, nil
	}
	h = Head{}
	if len(data) <= MaxYAML && yaml.Unmarshal(data, &h) == nil && len(bytes.TrimSpace(data)) > 0 {
		return h, nil
	}
	return Head{}, fmt.Errorf("not a complete JSON document (truncated?): %w", jsonErr)
}
