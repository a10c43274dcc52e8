package gate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/result"
)

// firstOf is the part of a file that says what it is: the first line of a history, else all.
func firstOf(data []byte) []byte {
	if line, _, _ := bytes.Cut(data, []byte{'\n'}); bytes.Contains(line, []byte(`"kind":"`+history.Kind+`"`)) {
		return line
	}
	return data
}

// decodeHistory judges a history from its operations. One of processes says nothing about a chart.
func decodeHistory(path string, data []byte) (*check.Report, error) {
	r, err := history.NewReader(path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if h := r.Header(); h.Chart == nil || h.Topology == "" {
		return nil, exit.Invalidf("--from "+path, "use one of steamer faults without --local",
			"it is the history of processes, and says nothing about a chart")
	}
	return check.History(r)
}

func aboutHistory(r *check.Report) string {
	return fmt.Sprintf("%s under faults in %s, %s", name(*r.History.Chart), r.History.Topology,
		count(r.Operations.Total, "operation"))
}

// kinds names what was done, so that what was not drawn, or left out, shows.
func kinds(r *check.Report) string {
	if len(r.FaultKinds) == 0 {
		return ""
	}
	return " (" + check.Counts(r.FaultKinds) + ")"
}

// faults asks in each topology for a history in which one order explains every answer. A violation
// counts wherever it was.
func (p Policy) faults(_ *Decision, e *Evidence) (string, finding) {
	var f finding
	var measured []string
	missing := slices.Clone(p.Topologies)
	for _, h := range e.Histories {
		r, where := h.Doc, h.Doc.History.Topology
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == where })
		total := 0
		for _, n := range r.Faults {
			total += n
		}
		measured = append(measured, fmt.Sprintf("%s: %s%s, %s, %s", where, count(total, "fault"), kinds(r),
			count(r.Operations.Total, "operation"), r.Verdict))
		if total == 0 {
			f.doubt("%s: the history has no fault", where)
		}
		for _, why := range r.Reasons {
			switch r.Verdict {
			case result.Fail:
				f.miss("%s: %s", where, why)
			case result.Inconclusive:
				f.doubt("%s: %s", where, why)
			case result.Pass:
			}
		}
	}
	for _, where := range missing {
		f.doubt("%s: no history of faults was given", where)
	}
	return strings.Join(measured, "; "), f
}
