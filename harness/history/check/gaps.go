package check

import (
	"fmt"
	"slices"

	"gitlab.com/steamer/steamer/harness/history"
)

// gaps gives each version that no acknowledged or seen write made to a write without an answer
// that can have made it: C6.
func (s *secret) gaps() {
	top, proofs := s.reached()
	if top == 0 {
		return
	}
	expecting := map[int32]int{} // by the version that a write without an answer makes if it happens
	var free []int64             // calls of those that can make any
	for i := range s.ops {
		o := &s.ops[i]
		if o.kind != history.Write || o.result != history.Unknown || s.version[i] != 0 {
			continue
		}
		if o.cas == history.NoCAS {
			free = append(free, o.call)
			continue
		}
		if at, another := expecting[o.cas+1]; !another || s.ops[at].call > o.call {
			expecting[o.cas+1] = i
		}
	}
	slices.Sort(free)
	used := 0
	for n := int32(1); n <= top; n++ {
		if _, made := s.byNumber[n]; made {
			continue
		}
		by := proofs[n] // the first operation to end that shows the version was reached
		if w, some := expecting[n]; some && s.ops[w].call <= s.ops[by].ret {
			s.landed++
			continue
		}
		if used < len(free) && free[used] <= s.ops[by].ret {
			used++
			s.landed++
			continue
		}
		s.violate("C6", s.key, fmt.Sprintf("nothing can have written version %d", n), s.ops, s.beside(n, by)...)
		return
	}
}

// beside are the write below a gap, where it is known, and the operation that shows the gap.
func (s *secret) beside(n int32, by int) []int {
	if below, made := s.byNumber[n-1]; made && int(below) != by {
		return []int{int(below), by}
	}
	return []int{by}
}

// reached is the highest version of which anything is known, and for each version the operation
// that ended first of those that show that it was reached.
func (s *secret) reached() (int32, map[int32]int) {
	shown := map[int32]int{}
	top := int32(0)
	show := func(n int32, i int) {
		if old, some := shown[n]; !some || s.ops[i].ret < s.ops[old].ret {
			shown[n] = i
		}
		top = max(top, n)
	}
	for i := range s.ops {
		switch o := &s.ops[i]; {
		case o.kind == history.Write && o.result == history.OK, o.exists():
			show(o.version, i)
		}
	}
	if int(top) > len(s.began) { // more versions than writes: one is too high
		for i := range s.ops {
			o := &s.ops[i]
			if n := counted(s.began, o.ret); o.kind == history.Write && o.result == history.OK && int64(o.version) > n {
				s.violate("C6", s.key, fmt.Sprintf("version %d is acknowledged when %d writes had begun", o.version, n), s.ops, i)
				break
			}
		}
		return 0, nil
	}
	for n := top - 1; n >= 1; n-- {
		show(n, shown[n+1])
	}
	return top, shown
}
