package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"

	"gitlab.com/steamer/steamer/harness/history"
)

// maxKept is the largest number of versions that a search keeps in its state.
const maxKept = 16

// maxSearched is how many operations between two removals a search orders at most.
const maxSearched = 4000

// purged is the check of a secret that was removed with all its versions. Numbers begin again
// then, so that they order nothing: a search has to find an order, between one removal that
// nothing ran beside and the next.
type purged struct {
	*checker
	key  string
	ops  []record
	keep int
}

func (p *purged) check() {
	byValue := map[uint64]int{}
	for i := range p.ops {
		if o := &p.ops[i]; o.kind == history.Write {
			byValue[o.value()] = i
		}
	}
	seen := map[int]int64{} // by when each value had been read
	for i := range p.ops {
		r := &p.ops[i]
		if r.kind != history.Read || r.result != history.OK || p.foreign(p.key, p.ops, i) {
			continue
		}
		w, written := byValue[r.value()]
		switch {
		case !written:
			p.violate("C2", p.key, "a read found a value that was never written", p.ops, i)
		case !p.ops[w].possible():
			p.violate("C2", p.key, "a read found the value of a write that was refused", p.ops, w, i)
		default:
			if first, some := seen[w]; !some || r.ret < first {
				seen[w] = r.ret
			}
		}
	}
	for i := range p.ops {
		if o := &p.ops[i]; o.kind == history.Write && o.result == history.Unknown {
			p.unknown++
			if _, some := seen[i]; some {
				p.landed++
			}
		}
	}
	p.segments(seen)
	p.finallyRead(p.key, p.ops)
}

// segments searches between removals. What had no answer can still happen in a later part, unless
// it was seen before.
func (p *purged) segments(seen map[int]int64) {
	order := make([]int32, 0, len(p.ops))
	for i := range p.ops {
		if o := &p.ops[i]; o.known() || o.possible() || o.result == history.Mismatch {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(p.ops[a].call, p.ops[b].call) })
	var part, pending []int32
	busy := int64(-1)
	number := 1
	flush := func(until int64) {
		p.segment(number, part, pending)
		for _, i := range part {
			if at, some := seen[int(i)]; p.ops[i].result == history.Unknown && (!some || at > until) {
				pending = append(pending, i)
			}
		}
		part, number = nil, number+1
	}
	for at, i := range order {
		o := &p.ops[i]
		alone := o.kind == history.Purge && o.result == history.OK && busy < o.call && p.nextKnown(order[at+1:]) > o.ret
		if alone {
			flush(o.call)
		} else {
			part = append(part, i)
		}
		if o.result != history.Unknown {
			busy = max(busy, o.ret)
		}
	}
	flush(history.Never)
}

func (p *purged) nextKnown(order []int32) int64 {
	for _, i := range order {
		if p.ops[i].result != history.Unknown {
			return p.ops[i].call
		}
	}
	return history.Never
}

func (p *purged) segment(number int, part, pending []int32) {
	where := fmt.Sprintf("secret %s, part %d", p.key, number)
	waiting := len(pending)
	for _, i := range part {
		if p.ops[i].result == history.Unknown {
			waiting++
		}
	}
	switch {
	case len(part) == 0:
		return
	case p.keep == 0 || p.keep > maxKept:
		p.undecided(where, fmt.Sprintf("it is unknown that the server keeps at most %d versions", maxKept))
		return
	case len(part) > maxSearched || waiting > maxPending:
		p.undecided(where, fmt.Sprintf("%d operations at once, %d of them without an answer", len(part), waiting))
		return
	}
	list := make([]porcupine.Operation, 0, len(part)+len(pending))
	for _, i := range slices.Concat(pending, part) {
		o := &p.ops[i]
		list = append(list, porcupine.Operation{Input: i, Call: o.call, Return: o.end()})
	}
	p.search(where, p.model(), list, p.ops)
}

// kept is a secret as the server has it: the latest version, and the last ones by their number.
type kept struct {
	latest int32
	value  [maxKept]uint64
	state  [maxKept]uint8
}

// model is KV v2 for one secret.
func (p *purged) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return kept{} },
		Step: func(state, input, _ any) (bool, any) {
			return p.step(state.(kept), &p.ops[input.(int32)])
		},
	}
}

func (p *purged) step(now kept, o *record) (bool, any) {
	n := o.version
	if o.latest() && o.kind != history.Read {
		n = now.latest
	}
	there := n >= 1 && n <= now.latest && n > now.latest-int32(p.keep)
	slot := int(n) % p.keep
	switch o.kind {
	case history.Purge:
		return true, kept{}
	case history.Write:
		return p.write(now, o)
	case history.Read:
		if o.result == history.Absent {
			return o.latest() && now.latest == 0 || o.asked && !there, now
		}
		same := there && (o.asked || n == now.latest) && now.state[slot] == stateOf(o.result)
		return same && (o.result != history.OK || now.value[slot] == o.value()), now
	default:
		if there {
			now.state[slot] = changed(now.state[slot], o.kind)
		}
		return true, now
	}
}

func (p *purged) write(now kept, o *record) (bool, any) {
	fits := o.cas == history.NoCAS || o.cas == now.latest
	switch {
	case o.result == history.Mismatch:
		return !fits, now
	case o.result == history.Unknown && !fits:
		return true, now
	case o.result == history.OK && (!fits || o.version != now.latest+1):
		return false, now
	}
	now.latest++
	slot := int(now.latest) % p.keep
	now.value[slot], now.state[slot] = o.value(), live
	return true, now
}
