package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/history"
)

// subject is what access depends on: a token, policy, role, mount, namespace or key. It begins
// without access.
type subject struct {
	ops     []record // grants, revocations, expiries and uses
	grace   []int64  // of each
	delayed bool     // some revocation may take a while
}

// use is a use of several subjects, by its record in each.
type use struct {
	names []string
	at    []int32
}

// access takes an operation on subjects in.
func (c *checker) access(o *history.Op) {
	c.answered(o)
	u := use{names: strings.Split(o.Key, ",")}
	for _, name := range u.names {
		s := c.subjects[name]
		if s == nil {
			s = &subject{}
			c.subjects[name] = s
		}
		u.at = append(u.at, int32(len(s.ops)))
		s.ops = append(s.ops, record{
			call: o.Call, ret: o.Return, line: int32(o.Line), client: int32(o.Client), cas: history.NoCAS, pod: int16(o.Pod),
			kind: o.Kind, result: o.Result, final: c.final, asked: len(u.names) > 1,
		})
		s.grace = append(s.grace, o.Grace)
		s.delayed = s.delayed || o.Grace > 0
	}
	if o.Kind == history.Use && (o.Result == history.OK || o.Result == history.Refused) {
		c.uses = append(c.uses, u)
	}
}

// fronts are what is known of a subject over time.
type fronts struct {
	off  front // proofs that it was revoked, by when that had to hold; the height is their call
	on   front // proofs that it was granted
	ons  front // what can have granted it, by its call; the height is its end
	offs front // what can have revoked it

	granted []point // what on is made of
}

// fronts are those of a subject by itself: what its uses prove of a grant is still missing.
func (s *subject) fronts() fronts {
	var off, on, ons, offs []point
	for i := range s.ops {
		o, at := &s.ops[i], int32(i)
		proof, can := point{o.ret, o.call, at}, point{o.call, o.end(), at}
		switch o.kind {
		case history.Grant:
			if o.possible() {
				ons = append(ons, can)
			}
			if o.result == history.OK {
				on = append(on, proof)
			}
		case history.Revoke, history.Expire:
			if o.possible() {
				offs = append(offs, point{o.call, later(o.end(), s.grace[i]), at})
			}
			if o.result == history.OK {
				off = append(off, point{later(o.ret, s.grace[i]), o.call, at})
			}
		case history.Use:
			// a refusal proves something of one subject only, and nothing where caches may differ
			if o.result == history.Refused && !o.asked && !s.delayed {
				off = append(off, proof)
			}
		}
	}
	return fronts{off: newFront(off), ons: newFront(ons), offs: newFront(offs), granted: on}
}

// late says whether a use was granted although no grant lies after the last revocation, and which
// one that is.
func (f fronts) late(o *record) (off point, late, ungranted bool) {
	on, some := f.ons.upTo(o.ret)
	off, revoked := f.off.before(o.call)
	return off, !some || revoked && on.height < off.height, !some
}

func later(t, by int64) int64 {
	if t == history.Never {
		return t
	}
	return t + by
}

// judgeAccess holds each use against grants and revocations: S2, S3, S4, S8, S11.
func (c *checker) judgeAccess() {
	known := c.fronts()
	for _, u := range c.uses {
		first := &c.subjects[u.names[0]].ops[u.at[0]]
		switch first.result {
		case history.OK:
			for k, name := range u.names {
				c.granted(name, int(u.at[k]), known[name])
			}
		case history.Refused:
			c.refused(u, known)
		}
	}
}

// fronts are those of all subjects. A use that was granted proves that its subjects were, unless
// it came after a revocation of one: whoever answered did not know what holds.
func (c *checker) fronts() map[string]fronts {
	known := map[string]fronts{}
	for name, s := range c.subjects {
		known[name] = s.fronts()
	}
	for _, u := range c.uses {
		sound := true
		for k, name := range u.names {
			o := &c.subjects[name].ops[u.at[k]]
			_, late, _ := known[name].late(o)
			sound = sound && o.result == history.OK && !late
		}
		for k, name := range u.names {
			if f, o := known[name], c.subjects[name].ops[u.at[k]]; sound {
				f.granted = append(f.granted, point{o.ret, o.call, u.at[k]})
				known[name] = f
			}
		}
	}
	for name, f := range known {
		f.on = newFront(f.granted)
		known[name] = f
	}
	return known
}

// granted checks a use that was granted: some grant must not lie before the last revocation.
func (c *checker) granted(name string, i int, f fronts) {
	s := c.subjects[name]
	off, late, ungranted := f.late(&s.ops[i])
	switch {
	case ungranted:
		c.violate(ruleOf(name, nil), name, "access was granted that nothing had granted", s.ops, i)
	case late:
		by := &s.ops[off.op]
		text := "access was granted after its revocation was acknowledged"
		switch by.kind {
		case history.Use:
			text = "access was granted after it had been refused, without a grant in between"
		case history.Expire:
			text = "access was granted after its time to live"
		}
		c.violate(ruleOf(name, by), name, text, s.ops, int(off.op), i)
	}
}

// refused checks a use that was refused: some subject must not be certain to be granted.
func (c *checker) refused(u use, known map[string]fronts) {
	var proof point
	for k, name := range u.names {
		f, o := known[name], &c.subjects[name].ops[u.at[k]]
		on, granted := f.on.before(o.call)
		off, some := f.offs.upTo(o.ret)
		if !granted || some && off.height >= on.height || c.fetching(name, &c.subjects[name].ops[on.op], o) {
			return
		}
		if k == 0 {
			proof = on
		}
	}
	name := u.names[0]
	ops, where := c.subjects[name].ops, strings.Join(u.names, ",")
	if tried := interrupted(ops, int(proof.op)); tried >= 0 {
		c.violate("S11", where, "access was refused, although what was interrupted was done again and acknowledged", ops,
			tried, int(proof.op), int(u.at[0]))
		return
	}
	c.violate("S8", where, "access was refused that is granted, without a revocation", ops, int(proof.op), int(u.at[0]))
}

// fetching reports whether a login with a key may have been answered by a fetch from before the key
// was granted: logins on one mount share the fetch that is under way (go-oidc's RemoteKeySet,
// keysFromRemote), and any of them with an unknown key begins one.
func (c *checker) fetching(key string, grant, login *record) bool {
	mount, _, isKey := strings.Cut(key, "/key:")
	if !isKey || grant.kind != history.Grant {
		return false
	}
	for name, s := range c.subjects {
		if strings.HasPrefix(name, mount+"/key:") && slices.ContainsFunc(s.ops, func(other record) bool {
			return other.kind == history.Use && other.call < grant.end() && other.end() > login.call && other.line != login.line
		}) {
			return true
		}
	}
	return false
}

// interrupted is a grant without an answer that was repeated, and acknowledged by proof; -1 for
// none.
func interrupted(ops []record, proof int) int {
	for i := proof - 1; ops[proof].kind == history.Grant && i >= 0; i-- {
		if ops[i].kind == history.Grant && ops[i].result == history.Unknown {
			return i
		}
		if ops[i].possible() && ops[i].kind != history.Use {
			return -1
		}
	}
	return -1
}

// ruleOf is the promise about a subject, by its kind TENANT/KIND:NAME.
func ruleOf(name string, by *record) string {
	_, rest, _ := strings.Cut(name, "/")
	kind, _, _ := strings.Cut(rest, ":")
	switch {
	case by != nil && by.kind == history.Expire:
		return "S4"
	case kind == "key":
		return "S3"
	default:
		return "S2"
	}
}

// audited counts the records of an answer.
type audited struct {
	line                int32
	requests, responses int8
	answers             int8
}

// expectAudit notes that an answer has audit records.
func (c *checker) expectAudit(o *history.Op) {
	if !c.header.Audit || o.Request == ([16]byte{}) {
		return
	}
	a := c.audits[o.Request]
	a.line, a.answers = int32(o.Line), add(a.answers)
	c.audits[o.Request] = a
}

// add counts to a few: more are as wrong as that.
func add(n int8) int8 { return min(n+1, 100) }

// record takes an audit record in.
func (c *checker) record(e *history.Event) {
	c.report.AuditRecords++
	a := c.audits[e.Request]
	switch e.Name {
	case history.AuditRequest:
		a.requests = add(a.requests)
	case history.AuditResponse:
		a.responses = add(a.responses)
	case history.AuditLeak:
		c.violateAt("S9", "audit", "an audit record holds a value", Step{Line: e.Line, Call: e.Time, Text: "audit record"})
	}
	c.audits[e.Request] = a
}

// judgeAudit holds answers against audit records: S9. Records of requests without an answer, or of
// others, are no violation. Where a run did not reach its end, records may be there that it has not
// read.
func (c *checker) judgeAudit() {
	var wrong []audited
	for _, a := range c.audits {
		if !c.report.Complete && max(a.answers, a.requests, a.responses) <= 1 {
			continue
		}
		if a.answers > 1 || a.answers == 1 && (a.requests != 1 || a.responses != 1) {
			wrong = append(wrong, a)
		}
	}
	slices.SortFunc(wrong, func(x, y audited) int { return cmp.Compare(x.line, y.line) })
	for _, a := range wrong {
		text := fmt.Sprintf("an answer has %d request and %d response records, want 1 of each", a.requests, a.responses)
		if a.answers > 1 {
			text = fmt.Sprintf("%d answers have one request ID", a.answers)
		}
		c.violateAt("S9", "audit", text, Step{Line: int(a.line), Text: "operation"})
	}
}
