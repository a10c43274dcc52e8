package check

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/history"
)

// Text writes a report for people.
func Text(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Verdict)
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	fmt.Fprintf(&b, "\n%d operations on %d secrets and %d subjects of access: %s\n", r.Operations.Total, r.Secrets,
		r.Subjects, Counts(r.Operations.Results))
	fmt.Fprintf(&b, "%d writes without an answer, %d of them happened; %d changes of leader, %d with requests in flight\n",
		r.Unknown.Total, r.Unknown.Landed, r.Takeovers, r.InFlight)
	if r.Doubtful > 0 {
		fmt.Fprintf(&b, "%d operations counted as without an answer: a database may have lost them\n", r.Doubtful)
	}
	if r.Load != "" {
		fmt.Fprintf(&b, "load beside it: %s\n", r.Load)
	}
	if len(r.Faults) > 0 {
		fmt.Fprintf(&b, "faults: %s\n", Counts(r.Faults))
	}
	for _, v := range r.Violations {
		writeViolation(&b, v)
	}
	for _, text := range r.Undecided {
		fmt.Fprintf(&b, "\nnot decided: %s\n", text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Counts lists numbers of things by their names, in the order of names.
func Counts(of map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%d %s", of[name], name))
	}
	return strings.Join(parts, ", ")
}

// writeViolation writes steps and events in the order of time, in milliseconds from the first.
func writeViolation(b *strings.Builder, v Violation) {
	fmt.Fprintf(b, "\n%s (%s): %s\n  %s\n", v.Rule, v.Title, v.Where, v.What)
	type line struct {
		at   int64
		text string
	}
	from, _ := v.span()
	var lines []line
	for _, s := range v.Steps {
		until := "   no answer"
		if s.Return >= 0 {
			until = fmt.Sprintf("%12.3f", ms(s.Return-from))
		}
		who, by := "", ""
		if s.Client >= 0 {
			who = fmt.Sprintf("client %d: ", s.Client)
		}
		if s.Pod >= 0 {
			by = fmt.Sprintf(", by pod %d", s.Pod)
		}
		lines = append(lines, line{s.Call, fmt.Sprintf("%12.3f - %s ms  %s%s%s (line %d)",
			ms(s.Call-from), until, who, s.Text, by, s.Line)})
	}
	for _, m := range v.Moments {
		lines = append(lines, line{m.Time, fmt.Sprintf("%12.3f                ms  %s (line %d)", ms(m.Time-from), m.Text,
			m.Line)})
	}
	slices.SortStableFunc(lines, func(x, y line) int { return int(x.at - y.at) })
	for _, l := range lines {
		fmt.Fprintf(b, "  %s\n", l.text)
	}
}

func ms(micros int64) float64 { return float64(micros) / 1000 }

func (c *checker) stepOfRecord(o *record) Step {
	op := history.Op{
		Line: int(o.line), Client: int(o.client), Kind: o.kind, Version: int(o.version), Asked: o.asked, CAS: int(o.cas),
		Value: history.Value{Writer: int(o.writer), Counter: int(o.counter), Foreign: c.foreigns[o.foreign]},
		Call:  o.call, Return: o.ret, Result: o.result, Pod: int(o.pod),
	}
	return stepOf(&op)
}

func stepOf(o *history.Op) Step {
	s := Step{Line: o.Line, Client: o.Client, Call: o.Call, Return: o.Return, Pod: o.Pod, Text: describe(o)}
	if o.Return == history.Never {
		s.Return = -1
	}
	return s
}

// describe says what an operation asked for and what came out.
func describe(o *history.Op) string {
	asked := o.Kind.String()
	switch {
	case o.Kind == history.Write && o.CAS != history.NoCAS:
		asked += fmt.Sprintf(" %s if the version is %d", o.Value, o.CAS)
	case o.Kind == history.Write:
		asked += " " + o.Value.String()
	case o.Asked && !o.Kind.Access():
		asked += fmt.Sprintf(" version %d", o.Version)
	case o.Kind == history.Read || o.Kind == history.Delete:
		asked += " the latest version"
	}
	found := o.Result.String()
	if !o.Asked && o.Version > 0 {
		found += fmt.Sprintf(", version %d", o.Version)
	}
	if o.Kind == history.Read && o.Result == history.OK {
		found += ", value " + o.Value.String()
	}
	return asked + ": " + found
}

func describeEvent(e *history.Event) string {
	switch e.Kind {
	case history.Pod:
		return fmt.Sprintf("pod %d is %s", e.Pod, e.Name)
	case history.Lead:
		return fmt.Sprintf("pod %d leads in term %d", e.Pod, e.Number)
	case history.Commit:
		return fmt.Sprintf("pod %d commits in term %d", e.Pod, e.Number)
	case history.Fault:
		text := fmt.Sprintf("fault %d, %s: %s", e.Number, e.Name, e.Receipt)
		if e.Pod != history.NoPod {
			text += fmt.Sprintf(", pod %d", e.Pod)
		}
		return text
	case history.Log:
		return "log: " + e.Text
	case history.Lost:
		return fmt.Sprintf("the database may lack what was committed in the last %.3f ms", ms(e.Time-e.Since))
	case history.Load:
		return strings.TrimSuffix("load: "+e.Name+", "+e.Text, ", ")
	default:
		return e.Kind.String() + " " + e.Name
	}
}
