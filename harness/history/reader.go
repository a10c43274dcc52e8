package history

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
)

// Reader reads a history line by line. It holds the operations that are open, and each key once.
type Reader struct {
	name   string
	input  *bufio.Reader
	header Header
	line   int
	now    int64
	sum    uint32
	open   map[int]*Op
	keys   map[string]string
	ended  bool
	rest   []*Op // operations that were open at the end
	event  Event
	op     Op    // that is being read
	spare  []*Op // to use again
	gave   *Op   // what Next returned last
}

const (
	maxHeader = 64 << 10
	maxLine   = 1 << 10
	hintWhole = "use the file as Steamer wrote it"
)

// codec reads the header as strictly as any file of Steamer.
var codec = document.Codec[Header]{
	APIVersion: APIVersion, Kind: Kind, Hint: "name a history that steamer faults wrote",
}

// NewReader reads the header. All errors are of code exit.Invalid and name the line, unless the
// file itself cannot be read.
func NewReader(name string, input io.Reader) (*Reader, error) {
	r := &Reader{
		name: name, input: bufio.NewReaderSize(input, maxHeader), open: map[int]*Op{}, keys: map[string]string{},
	}
	first, err := r.read()
	if err != nil {
		return nil, err
	}
	if first == nil {
		return nil, exit.Invalidf(name, codec.Hint, "the file is empty")
	}
	h, err := codec.Decode(name, first)
	if err != nil {
		return nil, err
	}
	if h.Versions < 0 || h.Versions > maxNumber {
		return nil, exit.Invalidf(name, hintWhole, "versions: %d is out of range", h.Versions)
	}
	r.header = *h
	return r, nil
}

// Name is what the history is called in errors.
func (r *Reader) Name() string { return r.name }

// Header is the history's first line.
func (r *Reader) Header() Header { return r.header }

// Complete reports, after the end, whether the run wrote its history to the end. One that was
// killed or interrupted did not.
func (r *Reader) Complete() bool { return r.ended }

// Next returns the next operation, when it has returned, or the next event; the other is nil. At
// the end come the operations that were still open, with result Unknown, and then io.EOF. What it
// returns is good until the next call.
func (r *Reader) Next() (*Op, *Event, error) {
	if r.gave != nil {
		r.spare, r.gave = append(r.spare, r.gave), nil
	}
	for {
		if len(r.rest) > 0 {
			o := r.rest[0]
			r.rest = r.rest[1:]
			return o, nil, nil
		}
		sum := r.sum
		text, err := r.read()
		if err != nil {
			return nil, nil, err
		}
		if text == nil {
			if len(r.open) == 0 {
				return nil, nil, io.EOF
			}
			r.leaveOpen()
			continue
		}
		if r.ended {
			return nil, nil, r.bad(hintWhole, errors.New("it follows the last line"))
		}
		f := &fields{string(text)}
		kind := f.next()
		if err := r.clock(f.next()); err != nil {
			return nil, nil, err
		}
		o, e, err := r.take(kind, f, sum)
		if err != nil {
			return nil, nil, r.bad(hintWhole, err)
		}
		if o != nil || e != nil {
			return o, e, nil
		}
	}
}

// take reads the rest of a line; both are nil for a call.
func (r *Reader) take(kind string, f *fields, sum uint32) (*Op, *Event, error) {
	switch kind {
	case lineCall:
		return nil, nil, r.call(f)
	case lineReturn:
		client, err := number(f.next())
		o := r.open[client]
		if err == nil && o == nil {
			err = fmt.Errorf("client %d has no operation open", client)
		}
		if err != nil {
			return nil, nil, err
		}
		o.Return = r.now
		delete(r.open, client)
		r.gave = o
		return o, nil, parseReturn(f, o)
	case lineEvent:
		r.event = Event{Line: r.line, Time: r.now}
		return nil, &r.event, parseEvent(f, &r.event)
	case lineEnd:
		lines, err := number(f.next())
		written, errSum := strconv.ParseUint(f.next(), 16, 32)
		switch {
		case errors.Join(err, errSum, f.end()) != nil:
			return nil, nil, errors.New("the last line is not whole")
		case lines != r.line-1:
			return nil, nil, fmt.Errorf("%d lines were written before it, and %d are there", lines, r.line-1)
		case uint32(written) != sum:
			return nil, nil, errors.New("the file was changed after it was written: another checksum")
		}
		r.ended = true
		return nil, nil, nil
	}
	return nil, nil, fmt.Errorf("unknown line %.10q", kind)
}

func (r *Reader) call(f *fields) error {
	r.op = Op{Line: r.line, Call: r.now, Return: Never}
	if err := parseCall(f, &r.op); err != nil {
		return err
	}
	if other := r.open[r.op.Client]; other != nil {
		return fmt.Errorf("client %d has an operation open since line %d", r.op.Client, other.Line)
	}
	key, known := r.keys[r.op.Key]
	if !known {
		key = r.op.Key
		r.keys[key] = key
	}
	r.op.Key = key
	o := &Op{}
	if n := len(r.spare); n > 0 {
		o, r.spare = r.spare[n-1], r.spare[:n-1]
	}
	*o = r.op
	r.open[o.Client] = o
	return nil
}

// leaveOpen has the operations that were open at the end return as unknown, in the order of their
// calls.
func (r *Reader) leaveOpen() {
	for _, o := range r.open {
		o.Result = Unknown
		r.rest = append(r.rest, o)
	}
	clear(r.open)
	slices.SortFunc(r.rest, func(a, b *Op) int { return a.Line - b.Line })
}

func (r *Reader) clock(text string) error {
	now, err := micros(text)
	if err == nil && now < r.now {
		return r.bad("make the history with one monotonic clock",
			fmt.Errorf("the clock runs backwards: %d µs after %d µs", now, r.now))
	}
	if err != nil {
		return r.bad(hintWhole, err)
	}
	r.now = now
	return nil
}

// read returns the next line without its end, nil after the last one.
func (r *Reader) read() ([]byte, error) {
	text, err := r.input.ReadSlice('\n')
	limit := maxLine
	if r.line == 0 {
		limit = maxHeader
	}
	switch {
	case errors.Is(err, io.EOF) && len(text) == 0:
		return nil, nil
	case errors.Is(err, io.EOF):
		r.line++
		return nil, r.bad("copy the whole file; if its run was killed, remove this line, and the rest is a partial history",
			errors.New("the file is cut off within this line"))
	case errors.Is(err, bufio.ErrBufferFull) || err == nil && len(text) > limit:
		r.line++
		return nil, r.bad(codec.Hint, fmt.Errorf("it is longer than %d bytes", limit))
	case err != nil:
		return nil, exit.Environmentf(r.name, "", "%w", err)
	}
	r.line++
	r.sum = crc32.Update(r.sum, crc32.IEEETable, text)
	return bytes.TrimSuffix(text, []byte("\n")), nil
}

func (r *Reader) bad(hint string, err error) error {
	return exit.Invalidf(r.name, hint, "line %d: %w", r.line, err)
}

// Open is how many operations are in flight where the reader is.
func (r *Reader) Open() int { return len(r.open) }
