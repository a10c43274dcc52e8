package lint

import (
	"cmp"
	"slices"
	"strings"
)

// Severity says what a finding does to the verdict.
type Severity string

// The severities, the gravest first.
const (
	Error   Severity = "error"   // the check fails
	Warning Severity = "warning" // the check fails only when strict
	Info    Severity = "info"    // worth knowing: what was not checked, and why
)

var grave = map[Severity]int{Error: 0, Warning: 1, Info: 2}

// Finding is one thing that a rule found. None of its fields holds a secret.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	File     string   `json:"file,omitempty"`   // in the chart
	Line     int      `json:"line,omitempty"`   // in File; 0: unknown
	Object   string   `json:"object,omitempty"` // Kind/name
	Path     string   `json:"path,omitempty"`   // in the object, or a key of the values where Object is empty
	Message  string   `json:"message"`
	Hint     string   `json:"mend,omitempty"`  // the key is what charts-check.json has had from the start
	Cases    []string `json:"cases,omitempty"` // in which it was seen
	// Accepted is set where a baseline holds the finding, which then fails nothing.
	Accepted *Acceptance `json:"accepted,omitempty"`
}

// findings collects findings; what several cases show is one finding with several cases.
type findings struct {
	list  []*Finding
	known map[string]*Finding
}

func (f *findings) add(in Finding, cases ...string) {
	key := strings.Join([]string{in.Rule, string(in.Severity), in.File, in.Object, in.Path, in.Message}, "\x00")
	if f.known == nil {
		f.known = map[string]*Finding{}
	}
	if f.known[key] == nil {
		f.known[key] = &in
		f.list = append(f.list, &in)
	}
	for _, name := range cases {
		if !slices.Contains(f.known[key].Cases, name) {
			f.known[key].Cases = append(f.known[key].Cases, name)
		}
	}
}

// sorted returns the findings of all rules, the gravest first, then by rule and place.
func sorted(each []findings) []Finding {
	out := []Finding{}
	for _, f := range each {
		for _, finding := range f.list {
			out = append(out, *finding)
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(grave[a.Severity], grave[b.Severity]), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return out
}
