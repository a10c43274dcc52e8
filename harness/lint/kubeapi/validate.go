package kubeapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Problem is one place where an object is not what the API says. Its message holds no value of the
// object, which may be secret.
type Problem struct {
	Path    string // such as spec.template.spec.containers[0].image; empty for the object itself
	Message string
}

// Validate compares an object with the schema of its kind, which this version has to serve. As the
// API server does, it takes a null for an absent field.
func (a *API) Validate(gvk schema.GroupVersionKind, object map[string]any) ([]Problem, error) {
	compiled, err := a.schema(key(gvk))
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(prune(object))
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var invalid *jsonschema.ValidationError
	err = compiled.Validate(document)
	if err == nil {
		return nil, nil
	}
	if !errors.As(err, &invalid) {
		return nil, err
	}
	var problems []Problem
	collect(invalid, document, &problems)
	sort.Slice(problems, func(i, j int) bool {
		return problems[i].Path+problems[i].Message < problems[j].Path+problems[j].Message
	})
	return problems, nil
}

func (a *API) schema(key string) (*jsonschema.Schema, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if compiled := a.compiled[key]; compiled != nil {
		return compiled, nil
	}
	if a.kinds[key] == "" {
		return nil, fmt.Errorf("kubernetes %s does not serve %s", a.Version, key)
	}
	compiled, err := a.compiler.Compile(root + "#/definitions/" + a.kinds[key])
	if err != nil {
		return nil, fmt.Errorf("embedded schema of %s: %w", key, err)
	}
	a.compiled[key] = compiled
	return compiled, nil
}

// prune copies a tree without the nulls in its maps.
func prune(node any) any {
	switch node := node.(type) {
	case map[string]any:
		out := make(map[string]any, len(node))
		for key, value := range node {
			if value != nil {
				out[key] = prune(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(node))
		for i, value := range node {
			out[i] = prune(value)
		}
		return out
	}
	return node
}

// collect turns the leaves of an error tree into problems.
func collect(e *jsonschema.ValidationError, document any, problems *[]Problem) {
	for _, cause := range e.Causes {
		collect(cause, document, problems)
	}
	path := location(document, e.InstanceLocation)
	add := func(path, format string, args ...any) {
		*problems = append(*problems, Problem{path, fmt.Sprintf(format, args...)})
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			add(join(path, name), "unknown field %q", name)
		}
	case *kind.Required:
		for _, name := range k.Missing {
			add(join(path, name), "required field %q is missing", name)
		}
	case *kind.Type:
		add(path, "is %s, has to be %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.Format:
		add(path, "is no valid %s", k.Want)
	case *kind.Enum:
		add(path, "has to be one of %v", k.Want)
	default:
		if len(e.Causes) == 0 {
			add(path, "does not fit the schema (%s)", strings.Join(e.ErrorKind.KeywordPath(), "/"))
		}
	}
}

// location writes where an error is. Positions in lists are told from keys of maps by the
// document.
func location(document any, steps []string) string {
	path := ""
	for _, step := range steps {
		switch node := document.(type) {
		case []any:
			var i int
			if _, err := fmt.Sscanf(step, "%d", &i); err == nil && i < len(node) {
				document = node[i]
			}
			path += "[" + step + "]"
		case map[string]any:
			document = node[step]
			path = join(path, step)
		}
	}
	return path
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// join appends a key to a path; a key that is no plain word, such as an annotation's, is put in
// brackets.
func join(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return fmt.Sprintf("%s[%q]", path, key)
	case path == "":
		return key
	}
	return path + "." + key
}

// formats are those that the embedded schemas use.
var formats = []*jsonschema.Format{
	{Name: "byte", Validate: onString(func(s string) error { _, err := base64.StdEncoding.DecodeString(s); return err })},
	{Name: "date-time", Validate: onString(func(s string) error { _, err := time.Parse(time.RFC3339, s); return err })},
	{Name: "quantity", Validate: onString(func(s string) error { _, err := resource.ParseQuantity(s); return err })},
	{Name: "int32", Validate: func(v any) error {
		number, ok := v.(json.Number)
		if !ok {
			return nil
		}
		if i, err := number.Int64(); err != nil || i < math.MinInt32 || i > math.MaxInt32 {
			return errors.New("out of range")
		}
		return nil
	}},
}

func onString(validate func(string) error) func(any) error {
	return func(v any) error {
		if s, ok := v.(string); ok {
			return validate(s)
		}
		return nil
	}
}
