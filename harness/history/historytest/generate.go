// Package historytest makes histories for tests: those that a correct server gives, by simulating
// one, and their parts for tests that break them.
package historytest

import (
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/history"
)

// Options say what is simulated. The zero value of each share is none.
type Options struct {
	Seed                          uint64
	Clients, Keys, Ops            int
	Keep                          int     // versions that the server keeps; 0 is 10
	Unknown                       float64 // share of operations without an answer
	DeleteLatest, Purge, Versions float64 // shares of operations on secrets
	Access                        float64 // share of operations on subjects
	Faults                        int
	Audit                         bool
	Loss                          bool // of what the server's database committed last, once
}

// History is a history in parts.
type History struct {
	Header     history.Header
	Ops        []*history.Op
	Events     []history.Event
	Incomplete bool // without its last line
}

// Clock is one that goes on by a microsecond each time.
func Clock() func() time.Duration {
	var now time.Duration
	return func() time.Duration { now += time.Microsecond; return now }
}

// Overwrite breaks a history: the last read of a secret finds its first version, which was
// overwritten long before.
func Overwrite(h *History) {
	first := map[string]*history.Op{}
	for _, o := range h.Ops {
		if o.Kind == history.Write && o.Result == history.OK && first[o.Key] == nil {
			first[o.Key] = o
		}
	}
	for _, o := range slices.Backward(h.Ops) {
		if w := first[o.Key]; o.Kind == history.Read && o.Result == history.OK && !o.Asked && w != nil && o.Version > 2 {
			o.Version, o.Value = w.Version, w.Value
			return
		}
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// Bytes is the history as a Recorder writes it.
func (h *History) Bytes() []byte {
	type entry struct {
		at    int64
		write func(*history.Recorder)
	}
	var list []entry
	for _, o := range h.Ops {
		call, ret := *o, *o
		list = append(list, entry{o.Call, func(r *history.Recorder) { r.Call(&call) }})
		if o.Return != history.Never {
			list = append(list, entry{o.Return, func(r *history.Recorder) { r.Return(&ret) }})
		}
	}
	for _, e := range h.Events {
		list = append(list, entry{e.Time, func(r *history.Recorder) { r.Event(e) }})
	}
	slices.SortStableFunc(list, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
	now := time.Duration(0)
	var out bytes.Buffer
	r, err := history.NewRecorder(nopCloser{&out}, h.Header, func() time.Duration { return now })
	for _, e := range list {
		now = time.Duration(e.at) * time.Microsecond
		e.write(r)
	}
	if err == nil && h.Incomplete {
		err = r.Abort()
	} else if err == nil {
		err = r.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return out.Bytes()
}

// version is one version of a simulated secret.
type version struct {
	value              history.Value
	deleted, destroyed bool
}

// secret is a simulated secret: versions from 1.
type secret []version

// event is something that happens at a time of the simulation.
type event struct {
	at  int64
	seq int
	do  func()
}

type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].at, q[j].at), q[i].seq-q[j].seq) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// sim simulates clients and a server in which every operation happens at one moment.
type sim struct {
	Options
	rng      *rand.Rand
	now      int64
	seq      int
	queue    queue
	out      *History
	secrets  map[string]*secret
	granted  map[string]bool
	expired  map[string]int64 // when, last
	counters map[int]int
	begun    int
	requests uint64
	leader   int
	term     int
}

// Generate makes a history that a correct server gives.
func Generate(o Options) *History {
	o.Keep = cmp.Or(o.Keep, 10)
	s := &sim{
		Options: o, rng: rand.New(rand.NewPCG(o.Seed, 1)), secrets: map[string]*secret{}, granted: map[string]bool{},
		expired: map[string]int64{}, counters: map[int]int{},
		out: &History{Header: history.Header{
			Seed: o.Seed, Versions: o.Keep, Audit: o.Audit,
			Started: time.Unix(0, 0).UTC(),
		}},
	}
	s.event(history.Event{Kind: history.Lead, Number: s.term, Pod: s.leader})
	for client := range o.Clients {
		s.after(s.rng.Int64N(50), func() { s.next(client) })
	}
	for n := range o.Faults {
		s.after(int64(o.Ops/max(o.Clients, 1))*40*int64(n+1)/int64(o.Faults+1), func() { s.fault(n) })
	}
	if o.Loss {
		s.after(int64(o.Ops/max(o.Clients, 1))*20, s.lose)
	}
	s.drain()
	s.finish()
	return s.out
}

// after schedules something; no two things happen in one microsecond.
func (s *sim) after(by int64, do func()) {
	s.seq++
	heap.Push(&s.queue, event{s.now + 1 + by, s.seq, do})
}

func (s *sim) drain() {
	for s.queue.Len() > 0 {
		e := heap.Pop(&s.queue).(event)
		s.now = max(s.now+1, e.at)
		e.do()
	}
}

func (s *sim) event(e history.Event) {
	s.now++
	e.Time = s.now
	if e.Kind != history.Pod && e.Kind != history.Lead && e.Kind != history.Commit {
		e.Pod = history.NoPod
	}
	s.out.Events = append(s.out.Events, e)
}

// next has a client begin its next operation.
func (s *sim) next(client int) {
	if s.begun >= s.Ops {
		return
	}
	s.begun++
	o := &history.Op{Client: client, CAS: history.NoCAS, Pod: history.NoPod, Return: history.Never}
	if s.rng.Float64() < s.Access {
		s.chooseAccess(o)
	} else {
		s.choose(o)
	}
	s.run(o, func() { s.after(s.rng.Int64N(10), func() { s.next(client) }) })
}

// run has an operation begin now, happen at some moment and return later.
func (s *sim) run(o *history.Op, then func()) {
	o.Call = s.now
	s.out.Ops = append(s.out.Ops, o)
	if s.rng.Float64() >= s.Unknown {
		s.after(s.rng.Int64N(30), func() {
			s.apply(o)
			s.after(s.rng.Int64N(30), func() { s.answer(o); then() })
		})
		return
	}
	lost := *o // it happens later, perhaps, and its client does not learn what came out
	if s.rng.IntN(2) == 0 {
		s.after(s.rng.Int64N(200), func() { s.apply(&lost) })
	}
	s.after(s.rng.Int64N(60), func() {
		o.Return, o.Result = s.now, history.Unknown
		then()
	})
}

// answer has an operation return, with its audit records before that.
func (s *sim) answer(o *history.Op) {
	s.requests++
	binary.BigEndian.PutUint64(o.Request[8:], s.requests)
	if s.Audit {
		s.event(history.Event{Kind: history.Audit, Name: history.AuditRequest, Request: o.Request})
		s.event(history.Event{Kind: history.Audit, Name: history.AuditResponse, Request: o.Request})
	}
	s.now++
	o.Return, o.Pod = s.now, s.leader
}

func (s *sim) key() string {
	n := s.rng.IntN(s.Keys)
	return fmt.Sprintf("t%d/k%d", n%3, n)
}

// choose fills in an operation on a secret.
func (s *sim) choose(o *history.Op) {
	o.Key = s.key()
	latest := len(*s.secret(o.Key))
	some := max(1, latest-s.rng.IntN(s.Keep+2)+1)
	switch x := s.rng.Float64(); {
	case x < s.Purge:
		o.Kind = history.Purge
	case x < s.Purge+s.DeleteLatest:
		o.Kind = history.Delete
	case x < s.Purge+s.DeleteLatest+s.Versions:
		o.Kind = []history.OpKind{history.Delete, history.Undelete, history.Destroy, history.Undelete}[s.rng.IntN(4)]
		o.Version, o.Asked = some, true
	case s.rng.IntN(2) == 0:
		s.counters[o.Client]++
		o.Kind, o.Value = history.Write, history.Value{Writer: o.Client, Counter: s.counters[o.Client]}
		if s.rng.IntN(2) == 0 {
			o.CAS = max(0, latest-s.rng.IntN(5)/4)
		}
	default:
		o.Kind, o.Inline = history.Read, s.rng.IntN(3) == 0
		if s.rng.IntN(3) == 0 {
			o.Version, o.Asked = some, true
		}
	}
}

var subjectKinds = []string{"token", "policy", "role", "mount", "namespace", "key"}

func (s *sim) chooseAccess(o *history.Op) {
	name := func() string {
		return fmt.Sprintf("t%d/%s:%d", s.rng.IntN(2), subjectKinds[s.rng.IntN(len(subjectKinds))], s.rng.IntN(2))
	}
	o.Key = name()
	o.Kind = []history.OpKind{
		history.Grant, history.Revoke, history.Use, history.Use, history.Use, history.Use, history.Expire,
	}[s.rng.IntN(7)]
	if o.Kind == history.Revoke && s.rng.IntN(4) == 0 {
		o.Grace = 20
	}
	if other := name(); o.Kind != history.Expire && s.rng.IntN(3) == 0 && other != o.Key {
		o.Key += "," + other
	}
}

func (s *sim) secret(key string) *secret {
	if s.secrets[key] == nil {
		s.secrets[key] = &secret{}
	}
	return s.secrets[key]
}

// fault ends the leader and has another pod take over.
func (s *sim) fault(n int) {
	old := s.leader
	s.out.Events = append(s.out.Events, history.Event{
		Time: s.now, Kind: history.Fault, Number: n, Name: "kill", Receipt: history.Began, Pod: old,
	})
	s.event(history.Event{Kind: history.Pod, Name: history.Down, Pod: old})
	s.event(history.Event{Kind: history.Log, Text: "ended"})
	s.leader, s.term = 1-old, s.term+1
	s.event(history.Event{Kind: history.Lead, Number: s.term, Pod: s.leader})
	s.event(history.Event{Kind: history.Pod, Name: history.Started, Pod: old})
	s.event(history.Event{Kind: history.Fault, Number: n, Name: "kill", Receipt: history.Confirmed})
}

// lose has the server go on a while later as it is now, but for keys, which it does not store, and
// what expired meanwhile.
func (s *sim) lose() {
	since, kept, granted := s.now, map[string]*secret{}, maps.Clone(s.granted)
	for key, k := range s.secrets {
		clone := slices.Clone(*k)
		kept[key] = &clone
	}
	s.after(s.rng.Int64N(150), func() {
		for name, is := range s.granted {
			if strings.Contains(name, "/key:") {
				granted[name] = is
			}
		}
		for name, at := range s.expired {
			granted[name] = granted[name] && at < since
		}
		for key := range s.secrets {
			*s.secrets[key] = secret{}
			if k := kept[key]; k != nil {
				*s.secrets[key] = *k
			}
		}
		s.granted = granted
		s.event(history.Event{Kind: history.Lost, Since: since})
	})
}

// finish reads everything again, one after the other.
func (s *sim) finish() {
	s.event(history.Event{Kind: history.Phase, Name: history.Final})
	s.Unknown = 0
	keys := []string{}
	for key := range s.secrets {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	read := func(key string, n int) {
		s.now++
		o := &history.Op{
			Client: s.Clients, Kind: history.Read, Key: key, Version: n, Asked: n > 0, CAS: history.NoCAS, Pod: history.NoPod,
		}
		s.run(o, func() {})
		s.drain()
	}
	for _, key := range keys {
		read(key, 0)
		latest := len(*s.secret(key))
		for n := max(1, latest-s.Keep+1); n <= latest; n++ {
			read(key, n)
		}
	}
}
