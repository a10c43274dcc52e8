package check_test

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/historytest"
)

// edit changes a history.
type edit struct {
	*historytest.History
	only *history.Op // what one finds, where it is set
}

func newEdit(h *historytest.History) *edit { return &edit{History: h} }

// one is the last operation that fits, nil for none.
func (e *edit) one(fits func(*history.Op) bool) *history.Op {
	if e.only != nil {
		return e.only
	}
	for _, o := range slices.Backward(e.Ops) {
		if fits(o) {
			return o
		}
	}
	return nil
}

// final reports whether an operation is of the final phase.
func (e *edit) final(o *history.Op) bool {
	for _, event := range e.Events {
		if event.Kind == history.Phase && event.Name == history.Final {
			return o.Call > event.Time
		}
	}
	return false
}

// quiet reports whether a secret has no write without an answer.
func (e *edit) quiet(key string) bool {
	return e.one(func(o *history.Op) bool {
		return o.Key == key && o.Kind == history.Write && o.Result == history.Unknown
	}) == nil
}

func (e *edit) end() int64 {
	last := int64(0)
	for _, o := range e.Ops {
		last = max(last, o.Call)
		if o.Return != history.Never {
			last = max(last, o.Return)
		}
	}
	for _, event := range e.Events {
		last = max(last, event.Time)
	}
	return last
}

// then adds operations of one client, one after the other, at the end.
func (e *edit) then(list ...*history.Op) {
	for _, o := range list {
		o.Client, o.Call = 99, e.end()+10
		o.Return = o.Call + 10
		e.Ops = append(e.Ops, o)
	}
}

// event adds an event at the end.
func (e *edit) event(event history.Event) {
	event.Time = e.end() + 10
	e.Events = append(e.Events, event)
}

func (e *edit) drop(fits func(*history.Op) bool) {
	e.Ops = slices.DeleteFunc(e.Ops, fits)
}

// becomes has a read find what a write wrote.
func (e *edit) becomes(r, w *history.Op) bool {
	if w == nil {
		return false
	}
	r.Version, r.Value = w.Version, w.Value
	return true
}

// absent has a read find nothing.
func (e *edit) absent(r *history.Op) bool {
	if r == nil {
		return false
	}
	r.Result, r.Value = history.Absent, history.Value{}
	if !r.Asked {
		r.Version = 0
	}
	return true
}

// write is an acknowledged write of client 99.
func write(key string, counter, version int) *history.Op {
	return &history.Op{
		Kind: history.Write, Key: key, Value: history.Value{Writer: 99, Counter: counter}, CAS: history.NoCAS,
		Version: version, Result: history.OK, Pod: history.NoPod,
	}
}

// read is a read of the latest version, or of that of a number, that found a version.
func read(key string, asked, version int, value history.Value) *history.Op {
	return &history.Op{
		Kind: history.Read, Key: key, Value: value, CAS: history.NoCAS, Version: version, Asked: asked > 0,
		Result: history.OK, Pod: history.NoPod,
	}
}

// found is a read that found a version in some state.
func found(key string, version int, r history.Result) *history.Op {
	o := read(key, version, version, history.Value{})
	o.Result = r
	return o
}

// change is an operation on the version of a number, or on the latest.
func change(kind history.OpKind, key string, version int) *history.Op {
	return &history.Op{
		Kind: kind, Key: key, CAS: history.NoCAS, Version: version, Asked: version > 0, Result: history.OK,
		Pod: history.NoPod,
	}
}

// access is an operation on a subject.
func access(kind history.OpKind, name string, r history.Result) *history.Op {
	return &history.Op{Kind: kind, Key: name, CAS: history.NoCAS, Result: r, Pod: history.NoPod}
}
