package check

import (
	"cmp"
	"fmt"
	"slices"

	"gitlab.com/steamer/steamer/harness/history"
)

// record is an operation as it is kept: 64 bytes.
type record struct {
	call, ret       int64
	line, client    int32
	version, cas    int32
	writer, counter int32
	foreign         int32 // index in the check's list, 0 for none
	pod             int16
	kind            history.OpKind
	result          history.Result
	asked, final    bool
}

// known reports whether the operation had an effect, or learned something.
func (r *record) known() bool { return r.result >= history.OK && r.result <= history.Absent }

// possible reports whether the operation changes something, or may.
func (r *record) possible() bool {
	return r.kind != history.Read && (r.result == history.OK || r.result == history.Unknown)
}

// end is when an effect has happened at the latest.
func (r *record) end() int64 {
	if r.result == history.Unknown {
		return history.Never
	}
	return r.ret
}

func (r *record) value() uint64 { return uint64(uint32(r.writer))<<32 | uint64(uint32(r.counter)) }

// latest reports whether the operation is about the version that is the latest when it happens.
func (r *record) latest() bool { return !r.asked }

// exists reports whether a read found the version, in whatever state.
func (r *record) exists() bool {
	return r.kind == history.Read && r.known() && r.result != history.Absent
}

// secret is the check of one secret whose numbers never begin again.
type secret struct {
	*checker
	key  string
	ops  []record
	keep int64 // versions that the server keeps; 0 is unknown

	version  []int32          // of each write, also of an unknown one that was seen; else 0
	seen     []int64          // when a write without an answer was seen to have happened; else Never
	byValue  map[uint64]int32 // writes
	byNumber map[int32]int32  // writes with a version

	floor  front   // what the version was at least: by the end of what proves it
	began  []int64 // calls of all writes that may have happened, sorted
	capped front   // what the version was at most: by the call of what proves it, negated
}

func (s *secret) check() {
	s.version, s.seen = make([]int32, len(s.ops)), make([]int64, len(s.ops))
	s.byValue, s.byNumber = map[uint64]int32{}, map[int32]int32{}
	s.acknowledged()
	s.values()
	s.bounds()
	s.order()
	s.reads()
	s.gaps()
	s.states()
	s.coverage()
}

// acknowledged places the writes that were acknowledged: C1.
func (s *secret) acknowledged() {
	for i := range s.ops {
		o := &s.ops[i]
		s.seen[i] = history.Never
		if o.kind != history.Write {
			continue
		}
		s.byValue[o.value()] = int32(i)
		if o.result == history.Unknown {
			s.unknown++
		}
		if o.result != history.OK {
			continue
		}
		s.version[i], s.seen[i] = o.version, o.ret
		if other, taken := s.byNumber[o.version]; taken {
			s.violate("C1", s.key, fmt.Sprintf("two writes are acknowledged with version %d", o.version), s.ops, int(other), i)
			continue
		}
		s.byNumber[o.version] = int32(i)
		if o.cas != history.NoCAS && o.version != o.cas+1 {
			s.violate("C1", s.key, fmt.Sprintf("a write that expects version %d is acknowledged with version %d",
				o.cas, o.version), s.ops, i)
		}
	}
}

// values finds the writer of each value that was read: C2 and S10.
func (s *secret) values() {
	order := make([]int, 0, len(s.ops))
	for i := range s.ops {
		if s.ops[i].kind == history.Read && s.ops[i].result == history.OK {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.ops[a].ret, s.ops[b].ret) })
	for _, i := range order {
		if s.foreign(s.key, s.ops, i) {
			continue
		}
		s.writerOf(i)
	}
}

// writerOf finds the writer of what a read found, and places it where it had no answer.
func (s *secret) writerOf(read int) {
	r := &s.ops[read]
	found, written := s.byValue[r.value()]
	w := int(found)
	switch {
	case !written:
		s.violate("C2", s.key, "a read found a value that was never written", s.ops, read)
		return
	case !s.ops[w].possible():
		s.violate("C2", s.key, "a read found the value of a write that was refused", s.ops, w, read)
		return
	case s.ops[w].call > r.ret:
		s.violate("C2", s.key, "a read found a value before it was written", s.ops, read, w)
		return
	case s.version[w] != 0 && s.version[w] != r.version:
		s.violate("C2", s.key, fmt.Sprintf("the value of version %d was found as version %d", s.version[w], r.version),
			s.ops, w, read)
		return
	}
	other, taken := s.byNumber[r.version]
	switch {
	case taken && int(other) != w:
		s.violate("C2", s.key, fmt.Sprintf("version %d has the values of two writes", r.version), s.ops, int(other), w, read)
	case !taken:
		s.landed++
		s.version[w], s.seen[w], s.byNumber[r.version] = r.version, r.ret, int32(w)
		if cas := s.ops[w].cas; cas != history.NoCAS && r.version != cas+1 {
			s.violate("C1", s.key, fmt.Sprintf("a write that expects version %d made version %d", cas, r.version), s.ops, w,
				read)
		}
	}
}

// bounds derives what the version was at least and at most at any time.
func (s *secret) bounds() {
	var least, most []point
	for i := range s.ops {
		o := &s.ops[i]
		n := int64(s.version[i])
		switch {
		case n > 0:
			least = append(least, point{s.seen[i], n, int32(i)})
			most = append(most, point{-o.call, -(n - 1), int32(i)})
		case o.exists():
			least = append(least, point{o.ret, int64(o.version), int32(i)})
			if o.latest() {
				most = append(most, point{-o.call, -int64(o.version), int32(i)})
			}
		case o.kind == history.Read && o.result == history.Absent && o.latest():
			most = append(most, point{-o.call, 0, int32(i)})
		}
	}
	s.floor, s.capped = newFront(least), newFront(most)
	for i := range s.ops {
		if o := &s.ops[i]; o.kind == history.Write && (s.version[i] > 0 || o.result == history.Unknown && s.canLand(o)) {
			s.began = append(s.began, o.call)
		}
	}
	slices.Sort(s.began)
}

// canLand reports whether a write without an answer whose version nobody saw can have happened:
// not if the version that it expects had passed, or another write made the next one.
func (s *secret) canLand(o *record) bool {
	if o.cas == history.NoCAS {
		return true
	}
	_, taken := s.byNumber[o.cas+1]
	return !taken && s.atLeast(o.call) <= int64(o.cas)
}

// atLeast is the lowest version that can be the latest when something called at t happens.
func (s *secret) atLeast(t int64) int64 { return s.floor.floor(t, 0) }

// atMost is the highest version that can be the latest until t.
func (s *secret) atMost(t int64) int64 { return s.capped.ceiling(t, counted(s.began, t)) }

// order holds versions against real time, and refusals by check-and-set against versions: C3, C1.
func (s *secret) order() {
	for i := range s.ops {
		o := &s.ops[i]
		if o.kind != history.Write {
			continue
		}
		if n := int64(s.version[i]); n > 0 {
			if p, some := s.floor.before(o.call); some && p.height >= n {
				s.violate("C3", s.key, fmt.Sprintf("a write made version %d after version %d had been reached", n, p.height),
					s.ops, int(p.op), i)
			}
		}
		if o.result == history.Mismatch && s.atLeast(o.call) == int64(o.cas) && s.atMost(o.ret) == int64(o.cas) {
			witness := []int{i}
			if p, some := s.floor.before(o.call); some {
				witness = []int{int(p.op), i}
			}
			s.violate("C1", s.key, fmt.Sprintf("check-and-set of %d was refused while that was the version", o.cas),
				s.ops, witness...)
		}
	}
}

// reads holds what reads found against what had ended before them and begun until then: C4, C5.
func (s *secret) reads() {
	for i := range s.ops {
		o := &s.ops[i]
		if o.kind != history.Read || !o.known() {
			continue
		}
		p, some := s.floor.before(o.call)
		n := int64(o.version)
		begun := counted(s.began, o.ret)
		switch {
		case o.exists() && n > begun:
			s.violate("C4", s.key, fmt.Sprintf("a read found version %d when %d writes had begun", n, begun), s.ops, i)
		case o.latest() && o.result == history.Absent && some:
			s.violate("C5", s.key, fmt.Sprintf("version %d was reached, and a read found nothing", p.height), s.ops, int(p.op),
				i)
		case o.latest() && some && n < p.height:
			s.violate("C4", s.key, s.stale(int(p.op), i, p.height), s.ops, int(p.op), i)
		case o.asked && o.result == history.Absent && some && p.height >= n && !s.mayBeOld(n, o.ret):
			s.violate("C5", s.key, fmt.Sprintf("version %d was reached, and version %d is not there", p.height, n),
				s.ops, s.proof(n, int(p.op)), i)
		case o.asked && o.exists() && s.keep > 0 && some && p.height-s.keep >= n:
			s.violate("C5", s.key, fmt.Sprintf("version %d is still there, and %d are kept of %d", n, s.keep, p.height),
				s.ops, int(p.op), i)
		}
	}
}

func (s *secret) stale(proof, read int, reached int64) string {
	text := fmt.Sprintf("a read found version %d after version %d had been reached", s.ops[read].version, reached)
	if s.ops[proof].client == s.ops[read].client {
		text += ", by its own client (S7)"
	}
	return text
}

// proof prefers the write of a version to whatever else shows that it was reached.
func (s *secret) proof(n int64, other int) int {
	if w, written := s.byNumber[int32(n)]; written && s.ops[w].result == history.OK {
		return int(w)
	}
	return other
}

// mayBeOld reports whether a version can have been too old to be kept at a time.
func (s *secret) mayBeOld(n, t int64) bool {
	most := s.atMost(t)
	if s.keep == 0 {
		return most > n
	}
	return most-s.keep >= n
}
