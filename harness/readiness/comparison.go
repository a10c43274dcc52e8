package readiness

import (
	"encoding/json"

	"gitlab.com/steamer/steamer/harness/decision"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// comparisonKind is the kind of what steamer compare writes.
const comparisonKind = "Comparison"

// Compared is what a gate reads of a comparison: whose it is, how it ended, and its table. The pairs behind it stay in the file.
type Compared struct {
	APIVersion string           `json:"apiVersion"`
	Partial    bool             `json:"partial"`
	Verdict    result.Verdict   `json:"verdict"`
	Reasons    []string         `json:"reasons"`
	Base       ComparedSubject  `json:"a"`
	Head       ComparedSubject  `json:"b"` // the chart under test
	Design     ComparedDesign   `json:"design"`
	Metrics    []decision.Ratio `json:"metrics"`
}

// ComparedSubject is one side of a comparison.
type ComparedSubject struct {
	Description string        `json:"description"`
	Chart       *result.Chart `json:"chart"`
}

// ComparedDesign is the part of a comparison's design that a reader of the gate needs.
type ComparedDesign struct {
	Where string `json:"where"` // the topology
}

func decodeComparison(path string, data []byte) (*Compared, error) {
	c := new(Compared)
	if err := json.Unmarshal(data, c); err != nil {
		return nil, exit.Invalidf(path, "use what steamer compare wrote", "not a complete comparison: %w", err)
	}
	switch {
	case c.APIVersion != decision.APIVersion:
		return nil, exit.Invalidf(path, "use the Steamer release that wrote it", "apiVersion %q: want %q", c.APIVersion, decision.APIVersion)
	case c.Verdict != result.Pass && c.Verdict != result.Fail && c.Verdict != result.Inconclusive:
		return nil, exit.Invalidf(path, "use what steamer compare wrote", "unknown verdict %q", string(c.Verdict))
	case c.Base.Chart == nil || c.Head.Chart == nil || c.Head.Chart.Digest == "":
		return nil, exit.Invalidf(path, "use a comparison of two charts", "it does not say which charts it compared")
	}
	return c, nil
}

// compared are the comparisons as the decision shows them.
func (e *Evidence) compared() []decision.Compared {
	var out []decision.Compared
	for _, c := range e.Comparisons {
		out = append(out, decision.Compared{
			Path: c.Path, Base: c.Doc.Base.describe(), Head: c.Doc.Head.describe(), Where: c.Doc.Design.Where, Verdict: c.Doc.Verdict, Metrics: c.Doc.Metrics,
		})
	}
	return out
}

func (s ComparedSubject) describe() string {
	if s.Description != "" {
		return s.Description
	}
	return name(*s.Chart)
}
