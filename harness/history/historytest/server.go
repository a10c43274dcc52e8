package historytest

import (
	"strings"

	"gitlab.com/steamer/steamer/harness/history"
)

// apply has an operation happen.
func (s *sim) apply(o *history.Op) {
	o.Result = history.OK
	if o.Kind.Access() {
		s.applyAccess(o)
		return
	}
	k := s.secret(o.Key)
	latest := len(*k)
	switch o.Kind {
	case history.Write:
		s.write(k, o)
	case history.Read:
		s.read(k, o)
	case history.Purge:
		*k = secret{}
	default:
		n := o.Version
		if !o.Asked {
			n = latest
		}
		if n < 1 || n > latest || n <= latest-s.Keep || (*k)[n-1].destroyed {
			return
		}
		v := &(*k)[n-1]
		switch o.Kind {
		case history.Delete:
			v.deleted = true
		case history.Undelete:
			v.deleted = false
		case history.Destroy:
			v.destroyed = true
		}
	}
}

func (s *sim) write(k *secret, o *history.Op) {
	if o.CAS != history.NoCAS && o.CAS != len(*k) {
		o.Result = history.Mismatch
		return
	}
	*k = append(*k, version{value: o.Value})
	o.Version = len(*k)
	s.event(history.Event{Kind: history.Commit, Number: s.term, Pod: s.leader})
}

func (s *sim) read(k *secret, o *history.Op) {
	n, latest := o.Version, len(*k)
	if !o.Asked {
		n = latest
	}
	if n < 1 || n > latest || n <= latest-s.Keep {
		o.Result = history.Absent
		return
	}
	o.Version = n
	switch v := (*k)[n-1]; {
	case v.destroyed:
		o.Result = history.Destroyed
	case v.deleted:
		o.Result = history.Deleted
	default:
		o.Value = v.value
	}
}

func (s *sim) applyAccess(o *history.Op) {
	if o.Kind == history.Expire {
		s.expired[o.Key] = s.now
	}
	for _, name := range strings.Split(o.Key, ",") {
		switch {
		case o.Kind != history.Use:
			s.granted[name] = o.Kind == history.Grant
		case !s.granted[name]:
			o.Result = history.Refused
		}
	}
}
