package check_test

import (
	"gitlab.com/steamer/steamer/harness/history"
)

// after adds operations on the latest version of some secret, which is live.
func after(list func(key string, n int, v history.Value) []*history.Op) func(*edit) bool {
	return func(e *edit) bool {
		r := e.latestRead(1)
		if r == nil {
			return false
		}
		e.then(list(r.Key, r.Version, r.Value)...)
		return true
	}
}

type ops = []*history.Op

func statesOfVersions() []mutant {
	type value = history.Value
	return []mutant{
		{"deleted-returns", "S10", "without an undelete", lossy, after(func(k string, n int, v value) ops {
			return ops{change(history.Delete, k, n), read(k, n, n, v)}
		})},
		{
			"deleted-returns-after-it-was-seen", "S10", "without an undelete", secrets,
			after(func(k string, n int, v value) ops {
				lost := change(history.Delete, k, n)
				lost.Result = history.Unknown
				return ops{lost, found(k, n, history.Deleted), read(k, n, n, v)}
			}),
		},
		{"latest-delete-ignored", "S10", "without an undelete", secrets, after(func(k string, n int, v value) ops {
			return ops{change(history.Delete, k, 0), read(k, 0, n, v)}
		})},
		{"destroyed-returns", "S10", "was destroyed", lossy, after(func(k string, n int, v value) ops {
			return ops{change(history.Destroy, k, n), read(k, n, n, v)}
		})},
		{"destroyed-becomes-deleted", "S10", "was destroyed", lossy, after(func(k string, n int, _ value) ops {
			return ops{change(history.Destroy, k, n), change(history.Delete, k, n), found(k, n, history.Deleted)}
		})},
		{"destroyed-undeleted", "S10", "was destroyed", lossy, after(func(k string, n int, v value) ops {
			return ops{change(history.Destroy, k, n), change(history.Undelete, k, n), read(k, 0, n, v)}
		})},
		{"deleted-by-nothing", "S10", "nothing deleted", secrets, after(func(k string, n int, _ value) ops {
			return ops{found(k, n, history.Deleted)}
		})},
		{"destroyed-by-nothing", "S10", "nothing destroyed", lossy, after(func(k string, n int, _ value) ops {
			return ops{found(k, n, history.Destroyed)}
		})},
		{"undelete-ignored", "S10", "without a delete", secrets, after(func(k string, n int, _ value) ops {
			return ops{change(history.Delete, k, n), change(history.Undelete, k, n), found(k, n, history.Deleted)}
		})},
		{"live-becomes-deleted", "S10", "without a delete", secrets, after(func(k string, n int, v value) ops {
			return ops{
				change(history.Delete, k, n), change(history.Undelete, k, n), read(k, n, n, v),
				found(k, n, history.Deleted),
			}
		})},
	}
}

// losing has the database lose what was committed since some time, and then reads the latest
// version as it was before that.
func losing(list func(e *edit, key string, n int, v history.Value)) func(*edit) bool {
	return func(e *edit) bool {
		r := e.latestRead(1)
		if r != nil {
			list(e, r.Key, r.Version, r.Value)
		}
		return r != nil
	}
}

func (e *edit) lost(since int64) {
	e.event(history.Event{Kind: history.Lost, Since: since, Pod: history.NoPod})
}

func losses() []mutant {
	return []mutant{
		{"lost-before-the-window", "C4", "after version", secrets, losing(func(e *edit, k string, n int, v history.Value) {
			e.then(write(k, 1, n+1))
			e.lost(e.end() + 1)
			e.then(read(k, 0, n, v))
		})},
		{"lost-after-the-window", "C4", "after version", secrets, losing(func(e *edit, k string, n int, v history.Value) {
			e.lost(e.end() + 1)
			e.then(write(k, 1, n+1), read(k, 0, n, v))
		})},
		{
			"found-what-was-lost", "C2", "has the values of two writes", secrets,
			losing(func(e *edit, k string, n int, _ history.Value) {
				since, gone := e.end()+1, write(k, 1, n+1)
				e.then(gone)
				e.lost(since)
				e.then(read(k, 0, n+1, gone.Value), write(k, 2, n+1))
			}),
		},
		{"revoked-before-the-window", "S2", "after its revocation", secrets, func(e *edit) bool {
			e.then(access(history.Grant, "t0/policy:a", history.OK), access(history.Revoke, "t0/policy:a", history.OK))
			e.lost(e.end() + 1)
			e.then(access(history.Use, "t0/policy:a", history.OK))
			return true
		}},
	}
}

// beside runs a delete of the latest version beside two writes, and then reads both versions.
func beside(first, second history.Result) func(*edit) bool {
	return func(e *edit) bool {
		r := e.latestRead(1)
		if r == nil {
			return false
		}
		remove, w1, w2 := change(history.Delete, r.Key, 0), write(r.Key, 1, r.Version+1), write(r.Key, 2, r.Version+2)
		e.then(w1, w2)
		remove.Client, remove.Call, remove.Return = 98, w1.Return+1, w2.Return+1
		e.Ops = append(e.Ops, remove)
		for _, w := range []*history.Op{w1, w2} {
			want := first
			if w == w2 {
				want = second
			}
			seen := found(r.Key, w.Version, want)
			if want == history.OK {
				seen.Value = w.Value
			}
			e.then(seen)
		}
		return true
	}
}

func unordered() []mutant {
	afterRemoval := func(list func(key string) ops) func(*edit) bool {
		return func(e *edit) bool {
			p := e.one(func(o *history.Op) bool { return o.Kind == history.Purge && o.Result == history.OK })
			if p == nil {
				return false
			}
			e.then(list(p.Key)...)
			return true
		}
	}
	remove := func(key string) *history.Op { return change(history.Purge, key, 0) }
	return []mutant{
		{"latest-delete-of-two-versions", "LIN", "no order", secrets, beside(history.Deleted, history.Deleted)},
		{"latest-delete-of-no-version", "LIN", "no order", secrets, beside(history.OK, history.OK)},
		{"numbers-go-on-after-removal", "LIN", "no order", removed, afterRemoval(func(k string) ops {
			return ops{write(k, 1, 0), remove(k), write(k, 2, 7)}[1:]
		})},
		{"removed-returns", "LIN", "no order", removed, func(e *edit) bool {
			w := e.acked(nil)
			if w == nil || e.one(func(o *history.Op) bool { return o.Kind == history.Purge && o.Result == history.OK }) == nil {
				return false
			}
			e.then(remove(w.Key), read(w.Key, 0, w.Version, w.Value))
			return true
		}},
		{"stale-after-removal", "LIN", "no order", removed, afterRemoval(func(k string) ops {
			first, second := write(k, 1, 1), write(k, 2, 2)
			return ops{remove(k), first, second, read(k, 0, 1, first.Value)}
		})},
		{"lost-after-removal", "LIN", "no order", removed, afterRemoval(func(k string) ops {
			gone := read(k, 0, 0, history.Value{})
			gone.Result = history.Absent
			return ops{remove(k), write(k, 1, 1), gone}
		})},
		{"check-and-set-after-removal", "LIN", "no order", removed, afterRemoval(func(k string) ops {
			w := write(k, 1, 0)
			w.CAS, w.Result = 0, history.Mismatch
			return ops{remove(k), w}
		})},
		{"values-swapped-after-removal", "LIN", "no order", removed, afterRemoval(func(k string) ops {
			first, second := write(k, 1, 1), write(k, 2, 2)
			return ops{remove(k), first, second, read(k, 1, 1, second.Value)}
		})},
		{"value-of-nobody-after-removal", "C2", "never written", removed, afterRemoval(func(k string) ops {
			return ops{remove(k), write(k, 1, 1), read(k, 0, 1, history.Value{Writer: 5, Counter: 999})}
		})},
	}
}

func accessMutants() []mutant {
	sequence := func(list func() ops) func(*edit) bool {
		return func(e *edit) bool { e.then(list()...); return true }
	}
	const ok, no, lost = history.OK, history.Refused, history.Unknown
	var all []mutant
	for _, kind := range []string{"token", "policy", "role", "mount", "namespace"} {
		name := "t1/" + kind + ":9"
		all = append(all, mutant{
			"granted-after-" + kind + "-was-revoked", "S2", "revocation was acknowledged", empty,
			sequence(func() ops {
				return ops{access(history.Grant, name, ok), access(history.Revoke, name, ok), access(history.Use, name, ok)}
			}),
		})
	}
	expire := func() *history.Op {
		o := access(history.Expire, "t1/token:9", ok)
		o.Grace = 5
		return o
	}
	rotate := func() *history.Op {
		o := access(history.Revoke, "t1/key:old", ok)
		o.Grace = 5
		return o
	}
	return append(all, []mutant{
		{"granted-after-key-was-rotated", "S3", "revocation was acknowledged", empty, sequence(func() ops {
			return ops{access(history.Grant, "t1/key:old", ok), rotate(), access(history.Use, "t1/key:old", ok)}
		})},
		{"granted-after-lifetime", "S4", "time to live", empty, sequence(func() ops {
			return ops{access(history.Grant, "t1/token:9", ok), expire(), access(history.Use, "t1/token:9", ok)}
		})},
		{"granted-by-nothing", "S2", "nothing had granted", empty, sequence(func() ops {
			return ops{access(history.Use, "t1/token:9", ok)}
		})},
		{"granted-again-after-refusal", "S2", "had been refused", empty, sequence(func() ops {
			return ops{
				access(history.Grant, "t1/policy:9", ok), access(history.Revoke, "t1/policy:9", lost),
				access(history.Use, "t1/policy:9", no), access(history.Use, "t1/policy:9", ok),
			}
		})},
		{"granted-with-one-of-two-revoked", "S2", "revocation was acknowledged", empty, sequence(func() ops {
			return ops{
				access(history.Grant, "t1/policy:9", ok), access(history.Grant, "t1/role:9", ok),
				access(history.Revoke, "t1/role:9", ok), access(history.Use, "t1/policy:9,t1/role:9", ok),
			}
		})},
		{"refused-while-granted", "S8", "without a revocation", empty, sequence(func() ops {
			return ops{access(history.Grant, "t1/policy:9", ok), access(history.Use, "t1/policy:9", no)}
		})},
		{"created-again-in-vain", "S11", "was done again", empty, sequence(func() ops {
			return ops{
				access(history.Grant, "t1/namespace:9", lost), access(history.Grant, "t1/namespace:9", ok),
				access(history.Use, "t1/namespace:9", no),
			}
		})},
		{"granted-by-a-revoke-of-two", "S2", "revocation was acknowledged", empty, sequence(func() ops {
			return ops{
				access(history.Grant, "t1/key:1,t1/policy:9", ok), access(history.Revoke, "t1/mount:9,t1/policy:9", ok),
				access(history.Use, "t1/policy:9", ok),
			}
		})},
		{"refused-after-takeover", "S8", "leads in term 1", empty, func(e *edit) bool {
			e.then(access(history.Grant, "t1/policy:9", ok), access(history.Grant, "t1/role:9", ok),
				access(history.Use, "t1/policy:9,t1/role:9", ok))
			e.event(history.Event{Kind: history.Lead, Number: 1, Pod: 1})
			e.then(access(history.Use, "t1/policy:9,t1/role:9", no))
			return true
		}},
	}...)
}

func serverMutants() []mutant {
	events := func(list ...history.Event) func(*edit) bool {
		return func(e *edit) bool {
			for _, event := range list {
				e.event(event)
			}
			return true
		}
	}
	lead := func(term, pod int) history.Event { return history.Event{Kind: history.Lead, Number: term, Pod: pod} }
	commit := func(term, pod int) history.Event {
		return history.Event{Kind: history.Commit, Number: term, Pod: pod}
	}
	answers := func(state string) func(*edit) bool {
		return func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			e.event(history.Event{Kind: history.Pod, Name: state, Pod: 1})
			again := read(r.Key, 0, r.Version, r.Value)
			e.then(again)
			again.Pod = 1
			return true
		}
	}
	record := func(change func(e *edit, at int) bool) func(*edit) bool {
		return func(e *edit) bool {
			for i, event := range e.Events {
				if event.Kind == history.Audit && change(e, i) {
					return true
				}
			}
			return false
		}
	}
	without := func(part string) func(*edit) bool {
		return record(func(e *edit, i int) bool {
			if e.Events[i].Name != part {
				return false
			}
			e.Events = append(e.Events[:i:i], e.Events[i+1:]...)
			return true
		})
	}
	return []mutant{
		{"two-leaders-in-a-term", "S6", "both lead", lossy, events(lead(7, 0), lead(7, 1))},
		{"terms-go-back", "S6", "begins after", lossy, events(lead(7, 0), lead(6, 1))},
		{"deposed-leader-commits", "S6", "follows one of term", lossy, events(lead(7, 0), commit(7, 0), lead(8, 1),
			commit(8, 1), commit(7, 0))},
		{"other-pod-commits", "S6", "which is pod", lossy, events(lead(7, 0), commit(7, 1))},
		{"dead-pod-answers", "S5", "while it is down", lossy, answers(history.Down)},
		{"frozen-pod-answers", "S5", "while it is frozen", lossy, answers(history.Frozen)},
		{"sealed-pod-answers", "S5", "while it is sealed", lossy, answers(history.Sealed)},
		{"crashed-pod-answers", "S5", "while it is crashed", lossy, answers(history.Crashed)},
		{"pod-does-not-start", "S11", "does not start any more, after fault 9 (drill, number 1", lossy, events(
			history.Event{Kind: history.Fault, Name: "drill", Number: 9, Receipt: history.Began},
			history.Event{Kind: history.Pod, Name: history.Broken, Pod: 0})},
		{"database-keeps-pod-from-starting", "S11", "log: a namespace hung", lossy, events(
			history.Event{Kind: history.Log, Pod: history.NoPod, Text: "a namespace hung"},
			history.Event{Kind: history.Pod, Name: history.Broken, Pod: 0})},
		{"pod-panics", "S13", "log: panic: nil", lossy, events(
			history.Event{Kind: history.Log, Pod: 1, Text: "panic: nil"},
			history.Event{Kind: history.Pod, Name: history.Crashed, Pod: 1})},
		{"load-gets-another-value", "C2", "2 of 9 fetches", lossy, events(history.Event{
			Kind: history.Load, Name: history.LoadWrong, Pod: history.NoPod, Text: "2 of 9 fetches got another value",
		})},
		{"audit-request-missing", "S9", "request and", lossy, without(history.AuditRequest)},
		{"audit-response-missing", "S9", "request and", lossy, without(history.AuditResponse)},
		{"audit-record-twice", "S9", "request and", lossy, record(func(e *edit, i int) bool {
			e.Events = append(e.Events, e.Events[i])
			return true
		})},
		{"audit-record-with-value", "S9", "holds a value", lossy, record(func(e *edit, i int) bool {
			leak := e.Events[i]
			leak.Name = history.AuditLeak
			e.Events = append(e.Events, leak)
			return true
		})},
		{"one-request-two-answers", "S9", "one request ID", lossy, func(e *edit) bool {
			o := e.one(func(o *history.Op) bool { return o.Result == history.OK })
			p := e.one(func(p *history.Op) bool { return p != o && p.Result == history.OK })
			p.Request = o.Request
			return true
		}},
	}
}
