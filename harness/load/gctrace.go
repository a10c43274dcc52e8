package load

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"

	"gitlab.com/steamer/steamer/harness/result"
)

// gcTrace asks Go's runtime for a line on standard error after each collection. Its form is
// documented in package runtime:
//
//	gc 3 @0.056s 2%: 0.026+0.39+0.10 ms clock, 0.21+0.88/0.52/0+0.84 ms cpu, 4->5->1 MB, 5 MB goal, …
//
// Number, time since the start, share of the CPU time available since the start; wall-clock times
// of the phases, of which the first and the last stop the world; heap at the start and the end of
// the cycle, and what of it is live.
const gcTrace = "GODEBUG=gctrace=1"

// Trace takes lines of k6's standard error, folds those of the garbage collector and hands the
// others on. It is safe for concurrent use.
type Trace struct {
	to io.Writer

	mu      sync.Mutex
	pending []byte
	sum     result.Collections
}

// NewTrace returns a Trace that hands all other lines to to.
func NewTrace(to io.Writer) *Trace { return &Trace{to: to} }

// Write takes the next bytes, which may end anywhere.
func (t *Trace) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest := p; len(rest) > 0; {
		part, after, whole := bytes.Cut(rest, []byte{'\n'})
		rest = after
		t.pending = append(t.pending, part...)
		if whole && t.fold(string(t.pending)) {
			t.pending = t.pending[:0]
			continue
		}
		if whole {
			t.pending = append(t.pending, '\n')
		}
		if whole || len(t.pending) > tailLineSize { // none of the collector's lines is that long
			if err := t.handOn(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// Flush hands on an unfinished line.
func (t *Trace) Flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.handOn()
}

func (t *Trace) handOn() error {
	_, err := t.to.Write(t.pending)
	t.pending = t.pending[:0]
	return err
}

// fold takes in one line of the collector; false means that it is something else.
func (t *Trace) fold(line string) bool {
	head, rest, ok := strings.Cut(line, ": ")
	fields := strings.Fields(head)
	if !ok || len(fields) != 4 || fields[0] != "gc" || !strings.HasPrefix(fields[2], "@") || !strings.HasSuffix(fields[3],
		"%") {
		return false
	}
	cycle, err1 := strconv.Atoi(fields[1])
	share, err2 := strconv.ParseFloat(strings.TrimSuffix(fields[3], "%"), 64)
	clock, _, clocked := strings.Cut(rest, " ms clock, ")
	pauses := strings.Split(clock, "+")
	if err1 != nil || err2 != nil || !clocked || len(pauses) != 3 {
		return false
	}
	first, err1 := strconv.ParseFloat(pauses[0], 64)
	last, err2 := strconv.ParseFloat(pauses[2], 64)
	if err1 != nil || err2 != nil {
		return false
	}
	t.sum.Cycles, t.sum.CPUShare, t.sum.PauseMs = cycle, share/100, max(t.sum.PauseMs, first, last)
	for _, part := range strings.Split(rest, ", ") {
		if heap := strings.Split(strings.TrimSuffix(part, " MB"), "->"); len(heap) == 3 {
			if live, err := strconv.ParseFloat(heap[2], 64); err == nil {
				t.sum.LiveMiB = live
			}
		}
	}
	return true
}

// Collections is what the collector did so far, nil if nothing is known of it.
func (t *Trace) Collections() *result.Collections {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sum.Cycles == 0 {
		return nil
	}
	sum := t.sum
	return &sum
}
