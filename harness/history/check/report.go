package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/result"
)

// Kind is what a report says of itself.
const Kind = "HistoryReport"

// Report is the judgement of a history.
type Report struct {
	result.Record
	History      history.Header `json:"history"`
	Complete     bool           `json:"complete"` // the run wrote its history to the end
	Operations   Operations     `json:"operations"`
	Secrets      int            `json:"secrets"`
	Subjects     int            `json:"subjects"`
	AuditRecords int            `json:"auditRecords"`
	Commits      int            `json:"commits"`
	Takeovers    int            `json:"takeovers"` // changes of leader
	InFlight     int            `json:"takeoversInFlight"`
	Unknown      Unknown        `json:"unknownWrites"`
	Load         string         `json:"load,omitempty"` // what load beside the workload got
	Faults       map[string]int `json:"faults"`         // by receipt
	FaultKinds   map[string]int `json:"faultKinds,omitempty"`
	Searches     int            `json:"searches"` // parts that versions do not order
	// Doubtful are the operations that a database had acknowledged that lost its latest commits.
	// They are judged as those without an answer.
	Doubtful   int            `json:"doubtful,omitempty"`
	Rules      map[string]int `json:"violationsByRule"`
	Violations []Violation    `json:"violations"` // the shortest of each rule, at most maxShown
	Undecided  []string       `json:"undecided"`

	unread []string
}

// Operations counts what clients did.
type Operations struct {
	Total   int            `json:"total"`
	ByKind  map[string]int `json:"byKind"`
	Results map[string]int `json:"results"`
}

func (n *Operations) count(o *history.Op) {
	n.Total++
	n.ByKind[o.Kind.String()]++
	n.Results[o.Result.String()]++
}

// Unknown counts writes without an answer.
type Unknown struct {
	Total  int `json:"total"`
	Landed int `json:"landed"` // happened all the same, as a version that was seen or is needed shows
}

// Violation is a broken promise, with the shortest sub-history that shows it.
type Violation struct {
	Rule    string   `json:"rule"`
	Title   string   `json:"title"`
	Where   string   `json:"where"` // secret, subject, pod
	What    string   `json:"what"`
	Steps   []Step   `json:"steps"`
	Moments []Moment `json:"moments"` // what was done to the server meanwhile
}

// Step is an operation of a sub-history.
type Step struct {
	Line   int    `json:"line"`   // of its call in the history
	Client int    `json:"client"` // -1 for an event
	Call   int64  `json:"call"`   // microseconds
	Return int64  `json:"return"` // microseconds; -1 for one without an answer
	Pod    int    `json:"pod"`    // -1 is unknown
	Text   string `json:"text"`
}

// Moment is an event beside the operations.
type Moment struct {
	Line int    `json:"line"`
	Time int64  `json:"time"` // microseconds
	Text string `json:"text"`
}

// maxShown is how many violations of each rule are shown, and maxMoments how many events of each.
const (
	maxShown   = 5
	maxMoments = 12
)

func newReport(h history.Header) *Report {
	return &Report{
		Record: result.NewRecord(Kind), History: h,
		Faults: map[string]int{}, FaultKinds: map[string]int{}, Rules: map[string]int{},
		Operations: Operations{ByKind: map[string]int{}, Results: map[string]int{}},
		Violations: []Violation{}, Undecided: []string{},
	}
}

// violate notes a violation that records show.
func (c *checker) violate(rule, where, what string, ops []record, witness ...int) {
	steps := make([]Step, 0, len(witness))
	slices.SortFunc(witness, func(a, b int) int { return cmp.Compare(ops[a].call, ops[b].call) })
	for _, i := range slices.Compact(witness) {
		steps = append(steps, c.stepOfRecord(&ops[i]))
	}
	c.violateAt(rule, where, what, steps...)
}

// violateAt notes a violation. Of each rule those are kept that took the shortest time.
func (c *checker) violateAt(rule, where, what string, steps ...Step) {
	c.report.Rules[rule]++
	v := Violation{Rule: rule, Title: titleOf(rule), Where: where, What: what, Steps: steps, Moments: []Moment{}}
	list := append(c.report.Violations, v)
	slices.SortStableFunc(list, func(a, b Violation) int {
		return cmp.Or(ruleOrder(a.Rule)-ruleOrder(b.Rule), len(a.Steps)-len(b.Steps), cmp.Compare(a.length(), b.length()))
	})
	kept, of := list[:0], map[string]int{}
	for _, v := range list {
		if of[v.Rule]++; of[v.Rule] <= maxShown {
			kept = append(kept, v)
		}
	}
	c.report.Violations = kept
}

func ruleOrder(id string) int {
	return slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
}

// span is the time of the steps from the first call to the last call or return.
func (v Violation) span() (from, to int64) {
	from = history.Never
	for _, s := range v.Steps {
		from, to = min(from, s.Call), max(to, s.Call, s.Return)
	}
	return from, to
}

func (v Violation) length() int64 {
	from, to := v.span()
	return to - from
}

// undecided notes what could not be judged.
func (c *checker) undecided(where, why string) {
	c.doubtful[why]++
	if c.doubtful[why] <= maxShown {
		c.report.Undecided = append(c.report.Undecided, where+": "+why)
	}
}

// example notes a secret that was not read again at the end.
func (r *Report) example(key string) {
	if len(r.unread) < maxShown {
		r.unread = append(r.unread, key)
	}
}

// conclude ends the report: what is violated fails, and what could not be judged keeps from a
// PASS.
func (c *checker) conclude() {
	r := c.report
	r.Partial = !r.Complete
	r.Subjects, r.Takeovers, r.InFlight, r.Searches = len(c.subjects), c.takeovers, c.inFlight, c.searches
	r.Unknown = Unknown{c.unknown, c.landed}
	for i := range r.Violations {
		r.Violations[i].Moments = c.during(r.Violations[i])
	}
	var fails []string
	for _, rule := range rules {
		if n := r.Rules[rule.ID]; n > 0 {
			fails = append(fails, fmt.Sprintf("%s, %s: %d violations", rule.ID, rule.Title, n))
		}
	}
	r.Conclude(fails, c.doubts(), []string{fmt.Sprintf(
		"%d operations, %d acknowledged writes, %d faults: one order explains every answer",
		r.Operations.Total, c.values, len(c.faults))})
	r.Started, r.Finished = r.History.Started, r.Finished.Round(time.Millisecond)
}

// doubts are what keeps a history without a violation from a PASS.
func (c *checker) doubts() []string {
	r := c.report
	var list []string
	doubt := func(is bool, format string, args ...any) {
		if is {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	doubt(!r.Complete, "the history has no last line: its run was killed or interrupted")
	doubt(c.values == 0 && len(c.uses) == 0, "nothing was acknowledged, so that nothing could be lost or granted")
	doubt(c.values > 0 && !c.final, "the secrets were not read again at the end")
	doubt(c.final && c.unread > 0, "%d secrets were not read again at the end, such as %v", c.unread, r.unread)
	doubt(c.final && c.unreadOlds > 0, "%d versions were not read again at the end", c.unreadOlds)
	for _, why := range slices.Sorted(maps.Keys(c.doubtful)) {
		doubt(true, "%d parts were not decided: %s", c.doubtful[why], why)
	}
	for _, number := range slices.Sorted(maps.Keys(c.faults)) {
		f := c.faults[number]
		r.Faults[cmp.Or(f.receipt, "none")]++
		r.FaultKinds[f.name]++
		doubt(f.receipt != history.Confirmed, "fault %d (%s) has no receipt that it took effect: %s", number, f.name,
			cmp.Or(f.receipt, "none"))
	}
	if len(c.faults) > 0 {
		doubt(c.inFlight == 0, "no change of leader had requests in flight")
		doubt(c.values > 0 && c.landed == 0, "no write without an answer happened all the same")
		doubt(c.values > 0 && c.landed >= c.unknown, "every write without an answer happened")
	}
	return list
}

// during are the events from shortly before the first step of a violation to its last.
func (c *checker) during(v Violation) []Moment {
	from, to := v.span()
	before := int64(time.Second / time.Microsecond)
	list := []Moment{}
	for _, m := range c.events {
		shown := slices.ContainsFunc(v.Steps, func(s Step) bool { return s.Line == m.Line })
		if m.Time >= from-before && m.Time <= to && !shown {
			list = append(list, m)
		}
	}
	if len(list) > maxMoments {
		list = list[len(list)-maxMoments:]
	}
	return list
}
