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
	Pairs      []ComparedPair   `json:"pairs"`
	Reproduce  string           `json:"reproduce"`
}

// ComparedPair is a slice of either side, next to each other in time.
type ComparedPair struct {
	A ComparedSlice `json:"a"`
	B ComparedSlice `json:"b"`
}

// ComparedSlice is one short measurement: metric to value, and why it is not valid.
type ComparedSlice struct {
	Values  map[string]float64 `json:"values"`
	Invalid []string           `json:"invalid"`
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
	}
	return c, nil
}

// decodeChartComparison also asks that two charts were compared: what processes on one machine do says nothing about a release.
func decodeChartComparison(path string, data []byte) (*Compared, error) {
	c, err := decodeComparison(path, data)
	if err == nil && (c.Base.Chart == nil || c.Head.Chart == nil || c.Head.Chart.Digest == "") {
		err = exit.Invalidf(path, "use a comparison of two charts", "it does not say which charts it compared")
	}
	return c, err
}

// Comparison reads a comparison for its report; name is used in errors, which are of code exit.Invalid.
func Comparison(name string, data []byte) (*decision.Compared, error) {
	c, err := decodeComparison(name, data)
	if err != nil {
		return nil, err
	}
	out := c.show(name)
	return &out, nil
}

// IsComparison reports whether a JSON document says that it is a comparison.
func IsComparison(data []byte) bool {
	var head struct {
		Kind string `json:"kind"`
	}
	return json.Unmarshal(data, &head) == nil && head.Kind == comparisonKind
}

// compared are the comparisons as the decision shows them.
func (e *Evidence) compared() []decision.Compared {
	var out []decision.Compared
	for _, c := range e.Comparisons {
		out = append(out, c.Doc.show(c.Path))
	}
	return out
}

func (c *Compared) show(path string) decision.Compared {
	out := decision.Compared{
		Path: path, Base: c.Base.describe(), Head: c.Head.describe(), Where: c.Design.Where, Verdict: c.Verdict, Reasons: c.Reasons,
		Metrics: c.Metrics, Reproduce: c.Reproduce, Slices: map[string][2][]float64{},
	}
	for _, p := range c.Pairs {
		if len(p.A.Invalid)+len(p.B.Invalid) > 0 {
			continue
		}
		for _, m := range c.Metrics {
			a, okA := p.A.Values[m.Name]
			b, okB := p.B.Values[m.Name]
			if both := out.Slices[m.Name]; okA && okB {
				out.Slices[m.Name] = [2][]float64{append(both[0], a), append(both[1], b)}
			}
		}
	}
	return out
}

func (s ComparedSubject) describe() string {
	if s.Description == "" && s.Chart != nil {
		return name(*s.Chart)
	}
	return s.Description
}
