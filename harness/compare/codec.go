package compare

import (
	"fmt"
	"math"
	"slices"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/result"
)

// JSONFile is the name of a comparison's file in its directory.
const JSONFile = "comparison.json"

var codec = document.Codec[Comparison]{
	APIVersion: result.APIVersion, Kind: Kind, Hint: "use the comparison.json of a finished comparison",
	Check: (*Comparison).check,
}

// Encode renders c as indented JSON after checking it.
func Encode(c *Comparison) ([]byte, error) { return codec.Encode(c) }

// Decode parses what Encode wrote. name is used in errors, which are of code
// exit.Invalid: truncated and foreign documents, unknown fields and other
// versions are refused, each by name.
func Decode(name string, data []byte) (*Comparison, error) { return codec.Decode(name, data) }

// ReadFile reads the comparison at path; its errors are of code exit.Invalid.
func ReadFile(path string) (*Comparison, error) { return codec.ReadFile(path) }

// WriteFile writes c to path; a reader sees the old file or the whole new one.
func WriteFile(path string, c *Comparison) error { return codec.WriteFile(path, c) }

// check finds what the types alone do not say.
func (c *Comparison) check() error {
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
