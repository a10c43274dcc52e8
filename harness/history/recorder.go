package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Recorder appends a history to a file. It is safe for concurrent use. Whole lines reach the
// kernel every second, and with each event at once: a run that is killed leaves what it had
// recorded until then. Whatever stands in the file before some line happened before it, so that
// each beginning of a history is a history.
type Recorder struct {
	mu      sync.Mutex
	to      io.WriteCloser
	clock   func() time.Duration
	buffer  []byte
	flushed time.Duration
	lines   int
	sum     uint32
	err     error
}

const (
	flushBytes = 16 << 10
	flushEvery = time.Second
)

// Create begins a history in a new file for the owner alone; one that exists is refused. The
// clock is this process's monotonic one, and the header's version, kind and start are set here.
func Create(path string, h Header) (*Recorder, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, exit.Environmentf(path, "name a new file in a directory that can be written to", "%w", err)
	}
	began := time.Now() // has the monotonic clock's reading
	h.Started = began.UTC()
	r, err := NewRecorder(file, h, func() time.Duration { return time.Since(began) })
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

// NewRecorder begins a history on a clock that starts at 0 and never goes back. Close closes what
// it is written to.
func NewRecorder(to io.WriteCloser, h Header, clock func() time.Duration) (*Recorder, error) {
	r := &Recorder{to: to, clock: clock}
	h.APIVersion, h.Kind = APIVersion, Kind
	first, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("history's header: %w", err)
	}
	r.buffer, r.lines = append(first, '\n'), 1
	r.flush()
	return r, r.err
}

// Call records that a client's operation begins, and sets its time. Call it before anything is
// sent. A client has one operation at a time.
func (r *Recorder) Call(o *Op) {
	r.line(false, func(b []byte, now int64) []byte {
		o.Call = now
		return appendCall(b, o)
	})
}

// Return records what came out of an operation, and sets its time. Call it after the whole answer
// was received.
func (r *Recorder) Return(o *Op) {
	r.line(false, func(b []byte, now int64) []byte {
		o.Return = now
		return appendReturn(b, o)
	})
}

// Event records something beside the operations, and sets its time.
func (r *Recorder) Event(e Event) {
	r.line(e.Kind != Audit && e.Kind != Commit, func(b []byte, now int64) []byte {
		e.Time = now
		return appendEvent(b, &e)
	})
}

// Now is the history's time, in microseconds.
func (r *Recorder) Now() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock().Microseconds()
}

// line appends one line. The clock is read with the lock held, so that times never decrease: a
// call's time is still before its request, and a return's after its answer.
func (r *Recorder) line(urgent bool, add func([]byte, int64) []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	r.buffer = add(r.buffer, now.Microseconds())
	r.lines++
	if urgent || len(r.buffer) >= flushBytes || now-r.flushed >= flushEvery {
		r.flush()
	}
}

func (r *Recorder) flush() {
	if r.err == nil {
		_, r.err = r.to.Write(r.buffer)
	}
	r.sum = crc32.Update(r.sum, crc32.IEEETable, r.buffer)
	r.buffer, r.flushed = r.buffer[:0], r.clock()
}

// Err is the first error of writing, nil for none. What could not be written is missing from the
// history, so that a run has to end with it.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.written()
}

func (r *Recorder) written() error {
	if r.err == nil {
		return nil
	}
	return exit.Environmentf("history", "free some space and run again", "%w", r.err)
}

// Close writes the last line, by which a reader knows that nothing is missing. A run that was
// interrupted calls Abort instead.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	r.buffer = appendHead(r.buffer, lineEnd, r.clock().Microseconds())
	r.buffer = append(strconv.AppendInt(r.buffer, int64(r.lines), 10), ' ')
	r.buffer = append(strconv.AppendUint(r.buffer, uint64(r.sum), 16), '\n')
	r.flush()
	return errors.Join(r.written(), r.to.Close())
}

// Abort ends the history without the last line, as a killed run does: it is partial.
func (r *Recorder) Abort() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	return errors.Join(r.written(), r.to.Close())
}
