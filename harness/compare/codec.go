package compare

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// Encode renders c as indented JSON after checking it.
func Encode(c *Comparison) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("comparison is not well formed: %w", err)
	}
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return nil, fmt.Errorf("comparison cannot be written as JSON: %w", err)
	}
	return append(b, '\n'), nil
}

// Decode parses what Encode wrote. name is used in errors, which are of code
// exit.Invalid: truncated and foreign documents, unknown fields and other
// versions are refused, each by name.
func Decode(name string, data []byte) (*Comparison, error) {
	c := new(Comparison)
	if err := decode(name, data, Kind, c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, exit.Invalidf(name, "use a comparison.json as Steamer wrote it, unedited", "%w", err)
	}
	return c, nil
}

// decode reads a versioned document of one kind strictly.
func decode(name string, data []byte, kind string, into any) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return exit.Invalidf(name, "use a file that Steamer wrote to its end", "not a complete JSON document: %w", err)
	}
	if head.APIVersion != result.APIVersion || head.Kind != kind {
		return exit.Invalidf(name, "use a "+kind+" that this version of Steamer wrote",
			"apiVersion %q, kind %q: want %q, %q", head.APIVersion, head.Kind, result.APIVersion, kind)
	}
	if err := document.JSON(data, into); err != nil {
		return exit.Invalidf(name, "use the Steamer release that wrote it", "not a Steamer %s of version %s: %w", kind,
			result.APIVersion, err)
	}
	return nil
}

// ReadFile reads the comparison at path; its errors are of code exit.Invalid.
func ReadFile(path string) (*Comparison, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Invalidf(path, "name the comparison.json of a comparison", "%w", err)
	}
	return Decode(path, data)
}

// WriteFile writes c to path; a reader sees the old file or the whole new one.
func WriteFile(path string, c *Comparison) error {
	data, err := Encode(c)
	if err != nil {
		return err
	}
	return writeWhole(path, data)
}

// writeWhole writes beside path and renames.
func writeWhole(path string, data []byte) error {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	err := os.WriteFile(temporary, secret.Clean(path, data), secret.Public)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return exit.Environmentf(path, "make the directory writable and free some space", "%w", err)
	}
	return nil
}

// check finds what the types alone do not say.
func (c *Comparison) check() error {
	if c.APIVersion != result.APIVersion || c.Kind != Kind {
		return fmt.Errorf("apiVersion %q, kind %q: want %q, %q", c.APIVersion, c.Kind, result.APIVersion, Kind)
	}
	if c.ID == "" {
		return fmt.Errorf("id is empty")
	}
	switch c.Verdict {
	case result.Pass, result.Fail, result.Inconclusive:
	default:
		return fmt.Errorf("unknown verdict %q", c.Verdict)
	}
	if err := c.Design.Check(); err != nil {
		return err
	}
	if len(c.Pairs) > c.Design.MaxPairs {
		return fmt.Errorf("%d pairs, planned were at most %d", len(c.Pairs), c.Design.MaxPairs)
	}
	for _, f := range c.Functional {
		for _, s := range []result.Status{f.A, f.B} {
			if s != result.Passed && s != result.Failed && s != result.Skipped {
				return fmt.Errorf("scenario %s: unknown status %q", f.ID, s)
			}
		}
	}
	for i, p := range c.Pairs {
		if p.Order != "AB" && p.Order != "BA" {
			return fmt.Errorf("pair %d: order %q", i+1, p.Order)
		}
		for _, s := range []Slice{p.A, p.B} {
			if least := min(s.Fetches, s.Failed, s.Wrong, s.Dropped); least < 0 {
				return fmt.Errorf("pair %d: a count is %d", i+1, least)
			}
			for name, v := range s.Values {
				if !slices.Contains(Recorded(), name) || !(v >= 0) || math.IsInf(v, 0) {
					return fmt.Errorf("pair %d: %s is %v", i+1, name, v)
				}
			}
		}
	}
	return nil
}
