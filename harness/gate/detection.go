package gate

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults/record"
	"gitlab.com/steamer/steamer/harness/result"
)

// decodeRecord reads a track record, and holds its tries against what is known of its version now.
func decodeRecord(path string, data []byte) (*record.Report, error) {
	r, err := record.Decode(path, data)
	if err != nil {
		return nil, err
	}
	if len(r.Rows) == 0 || r.Server == "" {
		return nil, exit.Invalidf("--from "+path, "use the record.json of a run of steamer faults record",
			"it names no version of OpenBao, or no bug")
	}
	return record.Merge([]*record.Report{r})[0], nil
}

func aboutRecord(r *record.Report) string {
	return fmt.Sprintf("known bugs looked for in OpenBao %s: %s", r.Server, r.Verdict)
}

// detection asks whether faults and requests find again what is known to be wrong with this
// OpenBao, and nothing else: what their silence is worth.
func (p Policy) detection(_ *Decision, e *Evidence) (string, finding) {
	var f finding
	var measured []string
	for _, r := range e.Records {
		measured = append(measured, "OpenBao "+r.Doc.Server+": "+strings.Join(r.Doc.Reasons, "; "))
		for _, why := range r.Doc.Reasons {
			switch r.Doc.Verdict {
			case result.Fail:
				f.miss("%s", why)
			case result.Inconclusive:
				f.doubt("%s", why)
			case result.Pass:
			}
		}
		var untried []string
		for _, bug := range record.Bugs() {
			if !slices.ContainsFunc(r.Doc.Rows, func(row record.Row) bool { return row.ID == bug.ID }) {
				untried = append(untried, bug.ID)
			}
		}
		if len(untried) > 0 {
			f.doubt("%s not looked for: %s", count(len(untried), "known bug"), strings.Join(untried, ", "))
		}
	}
	if len(e.Records) == 0 {
		f.doubt("no track record was given (steamer faults record)")
	}
	return strings.Join(measured, "; "), f
}
