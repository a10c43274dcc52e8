package check

import (
	"fmt"
	"math"

	"gitlab.com/steamer/steamer/harness/history"
)

// life is what is known of one version's state: live, deleted or destroyed.
type life struct {
	deleted   []point // proofs that it was deleted, by their end; the height is their call
	undeleted []point // proofs that it was live
	destroyed []point // proofs that it was destroyed
	deletes   []point // what can have deleted it, by its call; the height is its end
	undeletes []point
	destroys  []point
	reads     []int32
}

// states holds what reads found of each version against deletes, undeletes and destroys: S10.
func (s *secret) states() {
	lives := map[int32]*life{}
	of := func(n int32) *life {
		l := lives[n]
		if l == nil {
			l = &life{}
			lives[n] = l
			if w, known := s.byNumber[n]; known {
				l.undeleted = append(l.undeleted, point{s.seen[w], s.ops[w].call, w})
			}
		}
		return l
	}
	var latest []int32
	for i := range s.ops {
		o := &s.ops[i]
		switch {
		case o.kind == history.Delete && o.latest() && o.possible():
			latest = append(latest, int32(i))
		case o.kind >= history.Delete && o.kind <= history.Destroy && o.possible():
			s.changed(of(o.version), i)
		case o.exists():
			l := of(o.version)
			l.reads = append(l.reads, int32(i))
			l.found(o, int32(i))
		}
	}
	for _, i := range latest {
		s.deletedLatest(int(i), of)
	}
	s.windows(latest, lives) // before judge, which makes fronts of the points
	for n, l := range lives {
		s.judge(n, l)
	}
}

// found adds the proof that a read is.
func (l *life) found(o *record, i int32) {
	p := point{o.ret, o.call, i}
	switch o.result {
	case history.OK:
		l.undeleted = append(l.undeleted, p)
	case history.Deleted:
		l.deleted = append(l.deleted, p)
	case history.Destroyed:
		l.destroyed = append(l.destroyed, p)
	}
}

// changed adds an operation on the version of a number. It has no effect on a version that is not
// there yet, so that it proves something only where the version was.
func (s *secret) changed(l *life, i int) {
	o := &s.ops[i]
	can, proof := point{o.call, o.end(), int32(i)}, point{o.ret, o.call, int32(i)}
	proves := o.result == history.OK && s.atLeast(o.call) >= int64(o.version)
	switch o.kind {
	case history.Delete:
		l.deletes = append(l.deletes, can)
		if proves {
			l.deleted = append(l.deleted, proof)
		}
	case history.Undelete:
		l.undeletes = append(l.undeletes, can)
		if proves {
			l.undeleted = append(l.undeleted, proof)
		}
	case history.Destroy:
		l.destroys = append(l.destroys, can)
		if proves {
			l.destroyed = append(l.destroyed, proof)
		}
	}
}

// deletedLatest adds a delete of the latest version to each version that can have been the latest
// then. Where only one can, it is as good as a delete by number.
func (s *secret) deletedLatest(i int, of func(int32) *life) {
	o := &s.ops[i]
	least, most := s.latestOf(o)
	for n := max(least, 1); n <= most; n++ {
		l := of(int32(n))
		l.deletes = append(l.deletes, point{o.call, o.end(), int32(i)})
		if o.result == history.OK && least == most {
			l.deleted = append(l.deleted, point{o.ret, o.call, int32(i)})
		}
	}
}

// latestOf are the lowest and the highest version that can be the latest when an operation
// happens. One without an answer can still happen at the end.
func (s *secret) latestOf(o *record) (least, most int64) {
	until := o.ret
	if o.result == history.Unknown {
		until = math.MaxInt64 / 2
	}
	least, most = s.atLeast(o.call), s.atMost(until)
	return least, min(most, least+int64(len(s.ops)))
}

// judge holds the reads of one version against what changed it.
func (s *secret) judge(n int32, l *life) {
	deleted, undeleted, destroyed := newFront(l.deleted), newFront(l.undeleted), newFront(l.destroyed)
	deletes, undeletes, destroys := newFront(l.deletes), newFront(l.undeletes), newFront(l.destroys)
	born := int64(0) // nothing before that changed the version
	if w, known := s.byNumber[n]; known {
		born = s.ops[w].call
	}
	alive := born // until then it was not destroyed, and what is destroyed stays so
	for _, at := range l.reads {
		if r := &s.ops[at]; r.result != history.Destroyed {
			alive = max(alive, r.call)
		}
	}
	for _, at := range l.reads {
		r, i := &s.ops[at], int(at)
		gone, destroyedBefore := destroyed.before(r.call)
		if destroyedBefore && r.result != history.Destroyed {
			s.violate("S10", s.key, fmt.Sprintf("version %d was destroyed, and a read found it again", n), s.ops, int(gone.op),
				i)
			continue
		}
		switch r.result {
		case history.OK:
			off, wasDeleted := deleted.before(r.call)
			back, some := undeletes.upTo(r.ret)
			if wasDeleted && (!some || back.height < off.height) {
				s.violate("S10", s.key, fmt.Sprintf("version %d was deleted, and a read found it without an undelete", n),
					s.ops, int(off.op), i)
			}
		case history.Deleted:
			on, wasLive := undeleted.before(r.call)
			off, some := deletes.upTo(r.ret)
			switch {
			case !some || off.height < born:
				s.violate("S10", s.key, fmt.Sprintf("nothing deleted version %d, and a read found it deleted", n), s.ops, i)
			case wasLive && off.height < on.height:
				s.violate("S10", s.key, fmt.Sprintf("version %d was live, and a read found it deleted without a delete", n),
					s.ops, int(on.op), i)
			}
		case history.Destroyed:
			if off, some := destroys.upTo(r.ret); !some || off.height < alive {
				s.violate("S10", s.key, fmt.Sprintf("nothing destroyed version %d, and a read found it destroyed", n), s.ops, i)
			}
		}
	}
}
