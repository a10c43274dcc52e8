package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"

	"gitlab.com/steamer/steamer/harness/history"
)

// maxWindow is how many versions a window has at most that a search orders.
const maxWindow = 64

// maxPending is how many operations without an answer a search places at most: each can happen at
// any later time, so that their orders multiply.
const maxPending = 12

// span is a range of versions that some delete of the latest version can have been about.
type span struct{ from, to int64 }

// windows searches for an order where versions give none: an acknowledged delete of the latest
// version, beside writes, was about exactly one of them.
func (s *secret) windows(latest []int32, lives map[int32]*life) {
	var spans []span
	for _, i := range latest {
		if least, most := s.latestOf(&s.ops[i]); s.ops[i].result == history.OK && least < most {
			spans = append(spans, span{max(least, 1), most})
		}
	}
	if len(spans) == 0 {
		return
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.from - b.from) })
	merged := spans[:1]
	for _, next := range spans[1:] {
		if last := &merged[len(merged)-1]; next.from <= last.to {
			last.to = max(last.to, next.to)
		} else {
			merged = append(merged, next)
		}
	}
	touching := s.touching(lives)
	for _, w := range merged {
		s.window(w, latest, touching)
	}
}

// touching are the operations on each version, but deletes of the latest one without an answer.
func (s *secret) touching(lives map[int32]*life) map[int32][]int32 {
	index := map[int32][]int32{}
	for n, l := range lives {
		list := slices.Clone(l.reads)
		for _, changes := range [][]point{l.deletes, l.undeletes, l.destroys} {
			for _, p := range changes {
				if s.ops[p.op].asked || s.ops[p.op].result == history.OK {
					list = append(list, p.op)
				}
			}
		}
		index[n] = list
	}
	for i := range s.ops {
		if o := &s.ops[i]; o.kind == history.Read && o.asked && o.result == history.Absent && !s.mayBeOld(int64(o.version),
			o.ret) {
			index[o.version] = append(index[o.version], int32(i))
		}
	}
	return index
}

// window searches for an order of the operations on a few versions.
func (s *secret) window(w span, latest []int32, touching map[int32][]int32) {
	where := fmt.Sprintf("secret %s, versions %d to %d", s.key, w.from, w.to)
	if w.to-w.from >= maxWindow {
		s.undecided(where, "too many versions at once")
		return
	}
	var chosen []int32
	gaps := map[int32]bool{}
	for n := int32(w.from); n <= int32(w.to)+1; n++ {
		if n <= int32(w.to) {
			chosen = append(chosen, touching[n]...)
		}
		if made, known := s.byNumber[n]; known {
			chosen = append(chosen, made)
		} else {
			gaps[n] = true
		}
	}
	slices.Sort(chosen)
	chosen = slices.Compact(chosen)
	pending := s.pending(w, latest, chosen, gaps)
	if len(pending) > maxPending {
		s.undecided(where, fmt.Sprintf("more than %d operations without an answer", maxPending))
		return
	}
	s.search(where, s.windowModel(w), s.operations(append(chosen, pending...)), s.ops)
}

// pending are the operations without an answer that can have happened in a window. Those that
// differ only in when they began can take each other's place: the earliest are enough, as many as
// there is room for.
func (s *secret) pending(w span, latest, chosen []int32, gaps map[int32]bool) []int32 {
	last, undeletes := int64(0), 0
	for _, i := range chosen {
		last = max(last, s.ops[i].ret)
		if s.ops[i].kind == history.Undelete {
			undeletes++
		}
	}
	var deletes, writes, expecting []int32
	for _, i := range latest {
		if o := &s.ops[i]; o.result == history.Unknown && o.call <= last {
			deletes = append(deletes, i)
		}
	}
	for i := range s.ops {
		o := &s.ops[i]
		if len(gaps) == 0 || o.kind != history.Write || o.result != history.Unknown || s.version[i] != 0 || o.call > last {
			continue
		}
		if o.cas == history.NoCAS {
			writes = append(writes, int32(i))
		} else if gaps[o.cas+1] {
			expecting = append(expecting, int32(i))
		}
	}
	return slices.Concat(expecting, s.earliest(writes, len(gaps)), s.earliest(deletes, int(w.to-w.from)+1+undeletes))
}

// earliest are the first of some operations to begin.
func (s *secret) earliest(list []int32, n int) []int32 {
	slices.SortFunc(list, func(a, b int32) int { return cmp.Compare(s.ops[a].call, s.ops[b].call) })
	return list[:min(n, len(list))]
}

// operations are records as the search takes them; the input is the record's index.
func (s *secret) operations(chosen []int32) []porcupine.Operation {
	list := make([]porcupine.Operation, 0, len(chosen))
	for _, i := range chosen {
		o := &s.ops[i]
		end := o.end()
		if o.kind == history.Write && s.version[i] > 0 {
			end = s.seen[i]
		}
		list = append(list, porcupine.Operation{Input: i, Call: o.call, Return: end})
	}
	return list
}

// States of a version.
const (
	live uint8 = iota
	deleted
	destroyed
)

// windowState is the latest version, counted from the one below the window, and each state.
type windowState struct {
	latest int64 // 0 is below the window
	state  [maxWindow + 1]uint8
}

// windowModel is KV v2 as far as a window of versions goes.
func (s *secret) windowModel(w span) porcupine.Model {
	width := w.to - w.from + 1
	return porcupine.Model{
		Init: func() any { return windowState{} },
		Step: func(state, input, _ any) (bool, any) {
			now, i := state.(windowState), input.(int32)
			o := &s.ops[i]
			if o.kind == history.Write {
				return s.windowWrite(now, int(i), w.from, width)
			}
			at := int64(o.version) - w.from + 1
			if o.kind == history.Delete && o.latest() {
				at = now.latest
			}
			if o.kind == history.Read {
				return windowRead(now, o, at), now
			}
			if at >= 1 && at <= width && at <= now.latest {
				now.state[at] = changed(now.state[at], o.kind)
			}
			return true, now
		},
	}
}

func windowRead(now windowState, o *record, at int64) bool {
	if o.result == history.Absent {
		return now.latest < at
	}
	return now.latest >= at && (o.asked || now.latest == at) && now.state[at] == stateOf(o.result)
}

// windowWrite takes the next version. A write without an answer whose version nobody saw takes one
// that no other write has, or has not happened yet.
func (s *secret) windowWrite(now windowState, i int, from, width int64) (bool, any) {
	next := now.latest + 1
	if n := int64(s.version[i]); n > 0 {
		fits := n-from+1 == next
		now.latest = next
		return fits, now
	}
	_, taken := s.byNumber[int32(from+now.latest)]
	cas := s.ops[i].cas
	if now.latest > width || taken || cas != history.NoCAS && int64(cas) != from+now.latest-1 {
		return true, now
	}
	now.latest = next
	return true, now
}

// changed is a version's state after an operation on it.
func changed(state uint8, kind history.OpKind) uint8 {
	switch {
	case state == destroyed || kind == history.Destroy:
		return destroyed
	case kind == history.Delete:
		return deleted
	default:
		return live
	}
}

func stateOf(r history.Result) uint8 {
	switch r {
	case history.Deleted:
		return deleted
	case history.Destroyed:
		return destroyed
	default:
		return live
	}
}
