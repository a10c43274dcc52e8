// Package check judges a history: whether one order of all operations explains every answer, and
// whether access, pods, leaders and audit kept their promises. KV v2 acknowledges the number of
// each version, so that the order of writes is known and holding reads against it takes
// O(n log n). A search (porcupine) orders only what versions do not: deletes of the latest version
// beside writes, and secrets whose numbers began again.
package check

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/history"
)

// checker takes a history in and holds what it found. It keeps 64 bytes of each operation.
type checker struct {
	header   history.Header
	secrets  map[string][]record
	subjects map[string]*subject
	uses     []use
	foreigns []string // of records; 0 is none
	values   int      // acknowledged writes
	final    bool     // the final phase has begun

	pods   map[int]podState
	logs   map[int][]Step // of each pod, since it crashed
	crash  []Step         // the log of the last crash
	leads  leaders
	audits map[[16]byte]audited
	faults map[int]*fault
	losses []loss
	events []Moment
	open   int // operations in flight

	unknown, landed      int // writes without an answer, and those that happened all the same
	unread, unreadOlds   int // secrets, and versions, that were not read again at the end
	takeovers, inFlight  int // changes of leader, and those with operations open
	searches             int
	searched             time.Duration
	report               *Report
	violations, doubtful map[string]int
}

// File judges the history in a file. What is no history is an error of code exit.Invalid.
func File(path string) (*Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, exit.Invalidf(path, "name a history that steamer faults wrote", "%w", err)
	}
	defer file.Close()
	r, err := history.NewReader(path, file)
	if err != nil {
		return nil, err
	}
	return History(r)
}

// History reads a history to its end and judges it. An error is about the input or its file.
func History(r *history.Reader) (*Report, error) {
	c := &checker{
		header: r.Header(), secrets: map[string][]record{}, subjects: map[string]*subject{}, foreigns: []string{""},
		pods: map[int]podState{}, logs: map[int][]Step{}, audits: map[[16]byte]audited{}, faults: map[int]*fault{},
		violations: map[string]int{}, doubtful: map[string]int{},
	}
	c.leads = leaders{pods: map[int]int{}, commits: -1, last: -1}
	c.report = newReport(r.Header())
	for {
		o, e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		c.open = r.Open()
		switch {
		case o == nil:
			c.event(e)
		case o.Kind.Access():
			c.access(o)
		default:
			c.secret(o)
		}
	}
	c.report.Complete = r.Complete()
	if err := c.distinct(r.Name()); err != nil {
		return nil, err
	}
	c.judge()
	return c.report, nil
}

// secret takes an operation on a secret in.
func (c *checker) secret(o *history.Op) {
	c.answered(o)
	rec := record{
		call: o.Call, ret: o.Return, line: int32(o.Line), client: int32(o.Client), version: int32(o.Version),
		cas: int32(o.CAS), writer: int32(o.Value.Writer), counter: int32(o.Value.Counter), pod: int16(o.Pod),
		kind: o.Kind, result: o.Result, asked: o.Asked, final: c.final,
	}
	if o.Value.Foreign != "" {
		rec.foreign = int32(len(c.foreigns))
		c.foreigns = append(c.foreigns, o.Value.Foreign)
	}
	if o.Kind == history.Write && o.Result == history.OK {
		c.values++
	}
	c.secrets[o.Key] = append(c.secrets[o.Key], rec)
}

// answered counts an operation, and holds it against its pod's state and for its audit records.
func (c *checker) answered(o *history.Op) {
	c.report.Operations.count(o)
	c.answeredBy(o)
	c.expectAudit(o)
}

// distinct refuses histories that write a value twice: which write a read saw would be undecided.
func (c *checker) distinct(name string) error {
	for _, key := range slices.Sorted(maps.Keys(c.secrets)) {
		lines := map[uint64]int32{}
		for i := range c.secrets[key] {
			o := &c.secrets[key][i]
			if o.kind != history.Write {
				continue
			}
			if other, twice := lines[o.value()]; twice {
				return exit.Invalidf(name, "have each client count its values",
					"lines %d and %d write one value to %s", other, o.line, key)
			}
			lines[o.value()] = o.line
		}
	}
	return nil
}

// judge checks everything that was taken in.
func (c *checker) judge() {
	c.report.Secrets = len(c.secrets)
	c.weaken()
	for _, key := range slices.Sorted(maps.Keys(c.secrets)) {
		ops := c.secrets[key]
		if slices.ContainsFunc(ops, func(o record) bool { return o.kind == history.Purge && o.possible() }) {
			(&purged{checker: c, key: key, ops: ops, keep: c.header.Versions}).check()
		} else {
			(&secret{checker: c, key: key, ops: ops, keep: int64(c.header.Versions)}).check()
		}
		delete(c.secrets, key)
	}
	c.judgeAccess()
	c.judgeAudit()
	c.conclude()
}

// foreign reports a value that does not belong to the secret that was read: S10 where it is
// another tenant's, else C2.
func (c *checker) foreign(key string, ops []record, read int) bool {
	value := c.foreigns[ops[read].foreign]
	switch {
	case value == "":
		return false
	case strings.Contains(value, "/") && history.Tenant(value) != history.Tenant(key):
		c.violate("S10", key, fmt.Sprintf("a read found the value %s of another tenant", value), ops, read)
	default:
		c.violate("C2", key, fmt.Sprintf("a read found %s, which was never written there", value), ops, read)
	}
	return true
}

// coverage counts what was not read again at the end: a secret, or a version that the server
// should still have.
func (s *secret) coverage() {
	if !s.finallyRead(s.key, s.ops) {
		return
	}
	read := map[int32]bool{}
	for i := range s.ops {
		if o := &s.ops[i]; o.final && o.exists() {
			read[o.version] = true
		}
	}
	most := s.atMost(history.Never)
	for n := range s.byNumber {
		if !read[n] && (s.keep == 0 || int64(n) > most-s.keep) {
			s.unreadOlds++
		}
	}
}

// finallyRead reports whether a secret that was written was read again at the end.
func (c *checker) finallyRead(key string, ops []record) bool {
	written := false
	for i := range ops {
		o := &ops[i]
		if o.final && o.kind == history.Read && o.latest() && o.known() {
			return true
		}
		written = written || o.kind == history.Write && o.possible()
	}
	if written {
		c.unread++
		c.report.example(key)
	}
	return false
}
