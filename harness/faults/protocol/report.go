package protocol

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/result"
)

// Kind is what a report says of itself.
const Kind = "ProtocolReport"

// How a row ends, when the operation has been repeated as documented: every reader gets what was
// asked for last, or not.
const (
	Converged  = "converged"
	leftOver   = "left-over"   // a reader has access to a name that nothing is stored under
	lockedOut  = "locked-out"  // a reader cannot read what is meant for them
	stale      = "stale"       // a reader reads a value that was replaced
	exposed    = "exposed"     // a reader reads what is not meant for them
	serverLost = "server-lost" // the server does not start again
	NotJudged  = "not-judged"  // the fault did not take effect, or a read has no answer
)

// anyStuck as the outcome of a claim stands for any of stuckOutcomes.
const anyStuck = "stuck"

// stuckOutcomes are the outcomes that fail, the worst last.
func stuckOutcomes() []string { return []string{leftOver, lockedOut, stale, exposed, serverLost} }

// worse is the worse of two outcomes.
func worse(a, b string) string {
	if slices.Index(stuckOutcomes(), b) > slices.Index(stuckOutcomes(), a) {
		return b
	}
	return a
}

// Row is one fault at one request of a case.
type Row struct {
	Protocol string    `json:"protocol"`
	Case     string    `json:"case"`
	Number   int       `json:"number"` // of the request, from 1; 0 is the case without a fault
	Step     string    `json:"step,omitempty"`
	Fault    string    `json:"fault,omitempty"`
	Outcome  string    `json:"outcome"`
	Reason   string    `json:"reason,omitempty"`  // why it was not judged, or what the server said last
	Receipt  string    `json:"receipt,omitempty"` // what happened to the request
	Wrong    []Access  `json:"wrong,omitempty"`
	Attempts []Attempt `json:"attempts,omitempty"` // not of rows that converged
	Seconds  float64   `json:"seconds"`

	step int // of the operation
	size int // how much was done, to find the smallest
}

// ID is the name of the row, which --only chooses by.
func (r *Row) ID() string {
	if r.Number == 0 {
		return r.Protocol + "/" + r.Case + "/undisturbed"
	}
	return fmt.Sprintf("%s/%s/%d-%s/%s", r.Protocol, r.Case, r.Number, strings.ReplaceAll(r.Step, " ", "-"), r.Fault)
}

// stuck reports whether the row fails.
func (r *Row) stuck() bool { return slices.Contains(stuckOutcomes(), r.Outcome) }

// Part is what a report says of one protocol.
type Part struct {
	ID       string         `json:"id"`
	Title    string         `json:"title"`
	Source   string         `json:"source"`
	Outcomes map[string]int `json:"outcomes"`
	Claims   []Claimed      `json:"claims"`
	Cases    []Summary      `json:"cases"`
}

// Summary is what was tried of a case.
type Summary struct {
	ID     string   `json:"id"`
	Title  string   `json:"title"`
	Before []string `json:"before"`
	Do     string   `json:"do"`
	Retry  string   `json:"retry"`
	Then   []string `json:"then"`
}

// Claimed is what became of a claim.
type Claimed struct {
	ID     string   `json:"id"`
	Text   string   `json:"text"`
	Result string   `json:"result"` // demonstrated, refuted or undecided
	Shown  []string `json:"shown"`  // IDs of rows that demonstrate it
	Of     int      `json:"of"`     // rows that were judged
}

// Results of a claim.
const (
	demonstrated = "demonstrated"
	refuted      = "refuted"
	undecided    = "undecided"
)

// Report is the table of who can read what.
type Report struct {
	result.Record
	Seed     uint64 `json:"seed"`
	Server   string `json:"server"` // version of OpenBao
	Planned  int    `json:"planned"`
	Parts    []Part `json:"protocols"`
	Rows     []Row  `json:"rows"`
	Smallest []Row  `json:"smallest"` // of each protocol and outcome that is stuck
}

var reports = document.Codec[Report]{
	APIVersion: result.APIVersion, Kind: Kind, Hint: "use the protocol.json of a run of steamer faults protocol",
}

// Encode is the report as JSON.
func Encode(r *Report) ([]byte, error) { return reports.Encode(r) }

// conclude sums up, and gives the verdict: a sequence that gets stuck in one place fails.
func (r *Report) conclude(protocols []*Protocol, whole bool) {
	slices.SortStableFunc(r.Rows, r.order(protocols))
	var fails, unsure, good []string
	for _, p := range protocols {
		part := summarise(p, r.Rows, whole)
		if len(part.Outcomes) == 0 {
			continue
		}
		r.Parts = append(r.Parts, part)
		total, stuck := 0, 0
		var by []string
		for _, outcome := range append([]string{Converged, NotJudged}, stuckOutcomes()...) {
			n := part.Outcomes[outcome]
			total += n
			if n > 0 && slices.Contains(stuckOutcomes(), outcome) {
				stuck += n
				by = append(by, fmt.Sprintf("%d %s", n, outcome))
			}
		}
		if stuck > 0 {
			fails = append(fails, fmt.Sprintf("protocol %s gets stuck in %d of %d rows: %s", p.ID, stuck, total,
				strings.Join(by, ", ")))
		}
		if n := part.Outcomes[NotJudged]; n > 0 {
			unsure = append(unsure, fmt.Sprintf("protocol %s: %d of %d rows were not judged, such as %s", p.ID, n, total,
				r.example(p.ID)))
		}
		if stuck == 0 {
			good = append(good, fmt.Sprintf("protocol %s: every reader gets what was asked for in all %d rows", p.ID, total))
		}
	}
	if len(r.Rows) == 0 {
		unsure = append(unsure, "no row was tried")
	}
	if r.Partial {
		unsure = append(unsure, fmt.Sprintf("it was interrupted after %d of %d rows", len(r.Rows), r.Planned))
	}
	r.Smallest = smallest(r.Rows)
	for i := range r.Rows {
		if r.Rows[i].Outcome == Converged {
			r.Rows[i].Attempts = nil
		}
	}
	r.Conclude(fails, unsure, good)
}

// order is that of the protocols and cases.
func (r *Report) order(protocols []*Protocol) func(a, b Row) int {
	place := map[string]int{}
	for _, p := range protocols {
		for _, c := range p.Cases {
			place[p.ID+"/"+c.ID] = len(place)
		}
	}
	return func(a, b Row) int {
		return cmp.Or(place[a.Protocol+"/"+a.Case]-place[b.Protocol+"/"+b.Case], a.Number-b.Number,
			slices.Index(Faults(), a.Fault)-slices.Index(Faults(), b.Fault))
	}
}

func (r *Report) example(protocol string) string {
	i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Protocol == protocol && row.Outcome == NotJudged })
	return r.Rows[i].ID() + " (" + r.Rows[i].Reason + ")"
}

// summarise counts the rows of a protocol; whole says that all that there are were to be tried.
func summarise(p *Protocol, rows []Row, whole bool) Part {
	part := Part{
		ID: p.ID, Title: p.Title, Source: p.Source, Outcomes: map[string]int{}, Claims: []Claimed{},
		Cases: []Summary{},
	}
	for _, c := range p.Cases {
		judged, missing := 0, !whole
		var claim *Claimed
		if c.Claim != nil {
			i := slices.IndexFunc(part.Claims, func(k Claimed) bool { return k.ID == c.Claim.ID })
			if i < 0 {
				i = len(part.Claims)
				part.Claims = append(part.Claims, Claimed{ID: c.Claim.ID, Text: c.Claim.Text, Result: refuted, Shown: []string{}})
			}
			claim = &part.Claims[i]
		}
		tried := false
		for _, row := range rows {
			if row.Protocol != p.ID || row.Case != c.ID {
				continue
			}
			tried = true
			part.Outcomes[row.Outcome]++
			missing = missing || row.Outcome == NotJudged
			if row.Outcome != NotJudged {
				judged++
			}
			if claim != nil && (row.Outcome == c.Claim.Outcome || row.stuck() && c.Claim.Outcome == anyStuck) {
				claim.Shown = append(claim.Shown, row.ID())
			}
		}
		if tried {
			part.Cases = append(part.Cases, c.summary(p))
		}
		if claim == nil {
			continue
		}
		claim.Of += judged
		switch {
		case len(claim.Shown) > 0:
			claim.Result = demonstrated
		case missing || !tried:
			claim.Result = undecided
		}
	}
	return part
}

func (c *Case) summary(p *Protocol) Summary {
	s := Summary{ID: c.ID, Title: c.Title, Do: c.Do.String(), Before: []string{}, Then: []string{}}
	for _, q := range c.Given {
		s.Before = append(s.Before, q.String())
	}
	for _, q := range c.Then {
		s.Then = append(s.Then, q.String())
	}
	s.Retry = p.operation(c.Do.Op).RetriedBy
	return s
}

// smallest is the row of each protocol and stuck outcome in which the least was done.
func smallest(rows []Row) []Row {
	list := []Row{}
	for _, row := range rows {
		if !row.stuck() {
			continue
		}
		i := slices.IndexFunc(list, func(o Row) bool { return o.Protocol == row.Protocol && o.Outcome == row.Outcome })
		switch {
		case i < 0:
			list = append(list, row)
		case row.size < list[i].size:
			list[i] = row
		}
	}
	return list
}

// Story tells what was done in a row, one line for each operation.
func (r *Row) Story() []string {
	var lines []string
	for _, a := range r.Attempts {
		line := fmt.Sprintf("%s: %s, %s", a.When, a.Request, a.Result)
		if a.Message != "" {
			line += " (" + a.Message + ")"
		}
		if a.When == disturbed {
			line += fmt.Sprintf("; request %d, %s, was %s", r.Number, r.Step, r.Receipt)
		}
		lines = append(lines, line)
	}
	return append(lines, r.Ending()...)
}

// Ending says which readers do not get what was asked for, or why that is not known. Readers of
// whom the same is true share a line.
func (r *Row) Ending() []string {
	var lines []string
	readers := map[string][]string{}
	for _, w := range r.Wrong {
		if readers[w.what()] == nil {
			lines = append(lines, w.what())
		}
		readers[w.what()] = append(readers[w.what()], w.Who)
	}
	for i, what := range lines {
		lines[i] = strings.Join(readers[what], "; ") + ": " + what
	}
	if r.Reason != "" {
		lines = append(lines, r.Reason)
	}
	return lines
}

// Text writes a report for people.
func Text(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Verdict)
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	for _, p := range r.Parts {
		fmt.Fprintf(&b, "\n%s: %s\n", p.ID, p.Title)
		for _, c := range p.Claims {
			fmt.Fprintf(&b, "  %s %s in %d of %d rows: %s\n", c.ID, c.Result, len(c.Shown), c.Of, c.Text)
		}
		for _, c := range p.Cases {
			fmt.Fprintf(&b, "  %-20s %s\n", c.ID, r.counts(p.ID, c.ID))
		}
	}
	for i := range r.Smallest {
		row := &r.Smallest[i]
		fmt.Fprintf(&b, "\nthe smallest %s of %s: %s\n", row.Outcome, row.Protocol, row.ID())
		for _, line := range row.Story() {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// counts are the outcomes of a case.
func (r *Report) counts(protocol, name string) string {
	of := map[string]int{}
	for _, row := range r.Rows {
		if row.Protocol == protocol && row.Case == name {
			of[row.Outcome]++
		}
	}
	var parts []string
	for _, outcome := range append([]string{Converged, NotJudged}, stuckOutcomes()...) {
		if of[outcome] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", of[outcome], outcome))
		}
	}
	return strings.Join(parts, ", ")
}
