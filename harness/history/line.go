package history

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The first letter of a line says what it is.
const (
	lineCall   = "c"
	lineReturn = "r"
	lineEvent  = "x"
	lineEnd    = "e"
)

// appendCall writes the line of a call.
func appendCall(b []byte, o *Op) []byte {
	b = appendHead(b, lineCall, o.Call)
	b = append(strconv.AppendInt(b, int64(o.Client), 10), ' ')
	b = append(append(append(b, o.Kind.String()...), ' '), o.Key...)
	if o.Kind == Write {
		b = append(append(b, " ="...), o.Value.String()...)
		if o.CAS != NoCAS {
			b = field(b, 'c', o.CAS)
		}
	}
	if o.Asked {
		b = field(b, 'v', o.Version)
	}
	if o.Grace > 0 {
		b = strconv.AppendInt(append(b, " g"...), o.Grace, 10)
	}
	if o.Inline {
		b = append(b, " inline"...)
	}
	return append(b, '\n')
}

// appendReturn writes the line of a return.
func appendReturn(b []byte, o *Op) []byte {
	b = appendHead(b, lineReturn, o.Return)
	b = append(strconv.AppendInt(b, int64(o.Client), 10), ' ')
	b = append(b, o.Result.String()...)
	if !o.Asked && o.Version > 0 {
		b = field(b, 'v', o.Version)
	}
	if o.Kind == Read && o.Result == OK {
		b = append(append(b, " ="...), o.Value.String()...)
	}
	if o.Pod != NoPod {
		b = field(b, 'p', o.Pod)
	}
	if o.Request != ([16]byte{}) {
		b = append(b, " i"...)
		b = hex.AppendEncode(b, o.Request[:])
	}
	return append(b, '\n')
}

// appendEvent writes the line of an event.
func appendEvent(b []byte, e *Event) []byte {
	b = appendHead(b, lineEvent, e.Time)
	b = append(b, e.Kind.String()...)
	if e.Kind == Lead || e.Kind == Commit || e.Kind == Fault {
		b = field(b, 'n', e.Number)
	}
	if e.Name != "" {
		b = append(append(b, ' '), e.Name...)
	}
	if e.Receipt != "" {
		b = append(append(b, ' '), e.Receipt...)
	}
	if e.Pod != NoPod {
		b = field(b, 'p', e.Pod)
	}
	if e.Kind == Audit {
		b = append(b, " i"...)
		b = hex.AppendEncode(b, e.Request[:])
	}
	if e.Kind == Lost {
		b = strconv.AppendInt(append(b, " s"...), e.Since, 10)
	}
	if e.Kind == Log || e.Kind == Load && e.Text != "" {
		b = strconv.AppendQuoteToASCII(append(b, ' '), e.Text[:min(len(e.Text), MaxText)])
	}
	return append(b, '\n')
}

func appendHead(b []byte, kind string, at int64) []byte {
	b = append(append(b, kind...), ' ')
	return append(strconv.AppendInt(b, at, 10), ' ')
}

func field(b []byte, letter byte, n int) []byte {
	return strconv.AppendInt(append(b, ' ', letter), int64(n), 10)
}

// fields takes the fields of a line one after the other.
type fields struct{ rest string }

func (f *fields) next() string {
	word, rest, _ := strings.Cut(f.rest, " ")
	f.rest = rest
	return word
}

// lettered takes the next field if it begins with a letter and then has a number.
func (f *fields) lettered(letter byte, to *int) error {
	if len(f.rest) == 0 || f.rest[0] != letter {
		return nil
	}
	n, err := number(f.next()[1:])
	*to = n
	return err
}

// request takes the next field if it is a request ID.
func (f *fields) request(to *[16]byte) error {
	if !strings.HasPrefix(f.rest, "i") {
		return nil
	}
	text := f.next()[1:]
	if len(text) != 32 {
		return errors.New("a request ID has 32 hexadecimal digits")
	}
	_, err := hex.Decode(to[:], []byte(text))
	return err
}

func (f *fields) value(to *Value) (err error) {
	if !strings.HasPrefix(f.rest, "=") {
		return nil
	}
	*to, err = parseValue(f.next()[1:])
	return err
}

// text takes the rest of the line.
func (f *fields) text(to *string) (err error) {
	quoted := f.rest
	f.rest = ""
	if *to, err = strconv.Unquote(quoted); err != nil || len(*to) > MaxText {
		return fmt.Errorf("%.40q is not a quoted text of at most %d bytes", quoted, MaxText)
	}
	return nil
}

// since takes the time of a Lost, the rest of its line.
func (f *fields) since(e *Event) error {
	text, found := strings.CutPrefix(f.next(), "s")
	if !found {
		return fmt.Errorf("%s has a time before its own", e.Kind)
	}
	since, err := micros(text)
	if err == nil && since > e.Time {
		err = fmt.Errorf("%s has a time before its own", e.Kind)
	}
	e.Since = since
	return errors.Join(err, f.end())
}

func (f *fields) end() error {
	if f.rest != "" {
		return fmt.Errorf("unexpected %.40q", f.rest)
	}
	return nil
}

// named finds a word among names.
func named(names []string, word string) (int, error) {
	if i := slices.Index(names, word); i > 0 {
		return i, nil
	}
	return 0, fmt.Errorf("unknown word %.20q", word)
}

// parseCall reads what follows the time of a call.
func parseCall(f *fields, o *Op) error {
	var err error
	if o.Client, err = number(f.next()); err != nil {
		return err
	}
	kind, err := named(opNames, f.next())
	if err != nil {
		return err
	}
	o.Kind, o.Key, o.CAS, o.Pod = OpKind(kind), f.next(), NoCAS, NoPod
	if !isKey(o.Key) || strings.Contains(o.Key, ",") && !o.Kind.Access() {
		return fmt.Errorf("%.40q is not a key TENANT/NAME", o.Key)
	}
	if o.Kind == Write {
		if err := errors.Join(f.value(&o.Value), f.lettered('c', &o.CAS)); err != nil {
			return err
		}
		if o.Value.Foreign != "" || o.Value.Counter == 0 {
			return errors.New("a write has a value WRITER.COUNTER")
		}
	}
	if err := f.lettered('v', &o.Version); err != nil {
		return err
	}
	o.Asked = o.Version > 0
	switch {
	case o.Asked && (o.Kind == Write || o.Kind == Purge || o.Kind.Access()):
		return fmt.Errorf("%s takes no version", o.Kind)
	case !o.Asked && (o.Kind == Undelete || o.Kind == Destroy):
		return fmt.Errorf("%s needs a version", o.Kind)
	}
	if o.Kind == Revoke || o.Kind == Expire {
		var grace int
		if err := f.lettered('g', &grace); err != nil {
			return err
		}
		o.Grace = int64(grace)
	}
	if f.rest == "inline" {
		o.Inline = f.next() != ""
	}
	return f.end()
}

// allowed are the results that each kind of operation can have, beside Failed and Unknown.
var allowed = [][]Result{
	Write: {OK, Mismatch, Refused}, Read: {OK, Deleted, Destroyed, Absent, Refused}, Use: {OK, Refused},
	Delete: {OK, Refused}, Undelete: {OK, Refused}, Destroy: {OK, Refused}, Purge: {OK, Refused},
	Grant: {OK, Refused}, Revoke: {OK, Refused}, Expire: {OK},
}

// parseReturn reads what follows time and client of a return into the operation.
func parseReturn(f *fields, o *Op) error {
	result, err := named(resultNames, f.next())
	if err != nil {
		return err
	}
	o.Result = Result(result)
	if o.Result != Failed && o.Result != Unknown && !slices.Contains(allowed[o.Kind], o.Result) {
		return fmt.Errorf("%s cannot end with %s", o.Kind, o.Result)
	}
	if o.Result == Mismatch && o.CAS == NoCAS {
		return errors.New("a write without check-and-set cannot end with mismatch")
	}
	if !o.Asked {
		err = f.lettered('v', &o.Version)
	}
	if o.Kind == Read && o.Result == OK && err == nil {
		if err = f.value(&o.Value); err == nil && o.Value == (Value{}) {
			err = errors.New("a read that found a version has its value")
		}
	}
	if err := errors.Join(err, f.lettered('p', &o.Pod), f.request(&o.Request), f.end()); err != nil {
		return err
	}
	found := o.Kind == Write && o.Result == OK ||
		o.Kind == Read && (o.Result == OK || o.Result == Deleted || o.Result == Destroyed)
	if found != (o.Version > 0) && !o.Asked {
		return fmt.Errorf("%s that ends with %s: version %d", o.Kind, o.Result, o.Version)
	}
	return nil
}

// parseEvent reads what follows the time of an event.
func parseEvent(f *fields, e *Event) error {
	kind, err := named(eventNames, f.next())
	if err != nil {
		return err
	}
	e.Kind, e.Pod = EventKind(kind), NoPod
	if e.Kind == Lead || e.Kind == Commit || e.Kind == Fault {
		if !strings.HasPrefix(f.rest, "n") {
			return fmt.Errorf("%s has a number", e.Kind)
		}
		err = f.lettered('n', &e.Number)
	}
	if e.Kind == Lost {
		return f.since(e)
	}
	if e.Kind != Lead && e.Kind != Commit && e.Kind != Log {
		e.Name = f.next()
		if list := words(e.Kind); !isWord(e.Name) || list != nil && !slices.Contains(list, e.Name) {
			return fmt.Errorf("unknown word %.20q", e.Name)
		}
	}
	if e.Kind == Fault {
		if e.Receipt = f.next(); !receipt(e.Receipt) {
			return fmt.Errorf("unknown receipt %.20q", e.Receipt)
		}
	}
	if err := errors.Join(err, f.lettered('p', &e.Pod)); err != nil {
		return err
	}
	if e.Pod == NoPod && (e.Kind == Pod || e.Kind == Lead || e.Kind == Commit) {
		return fmt.Errorf("%s has a pod", e.Kind)
	}
	if e.Kind == Audit {
		if !strings.HasPrefix(f.rest, "i") {
			return errors.New("an audit record has a request ID")
		}
		err = f.request(&e.Request)
	}
	if e.Kind == Log || e.Kind == Load && f.rest != "" {
		err = errors.Join(err, f.text(&e.Text))
	}
	return errors.Join(err, f.end())
}
