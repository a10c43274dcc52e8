package follow

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

var errFull = errors.New("all logs together are too large")

// log is what one container wrote.
type log struct {
	source string
	pod    types.UID
	take   func(n int) bool // asks for room in memory

	mu      sync.Mutex
	running bool
	ended   bool  // nothing is read any more
	old     bool  // had ended at the last forget
	text    int64 // bytes before compression
	failed  error // of the last attempt to read it
	full    bool
	zipped  bytes.Buffer
	writer  *gzip.Writer // nil before the first byte, and after the last
}

// Write keeps more of the log. Its error is errFull.
func (l *log) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writer == nil {
		l.writer, _ = gzip.NewWriterLevel(&l.zipped, gzip.BestSpeed) // a level that exists
	}
	before := l.zipped.Len()
	_, _ = l.writer.Write(data) // to memory
	l.text += int64(len(data))
	if l.full = !l.take(l.zipped.Len() - before); l.full {
		return len(data), errFull
	}
	return len(data), nil
}

// content is the log so far, and what is missing of it.
func (l *log) content() (content io.Reader, gap string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.full:
		gap = fmt.Sprintf("only its first %d bytes were kept: %v", l.text, errFull)
	case l.failed != nil:
		gap = fmt.Sprintf("not read after %d bytes: %v", l.text, l.failed)
	}
	if l.writer != nil {
		_ = l.writer.Flush() // to memory
	}
	if l.zipped.Len() == 0 {
		return bytes.NewReader(nil), gap, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(bytes.Clone(l.zipped.Bytes())))
	return unfinished{reader}, gap, err
}

// unfinished reads what was compressed until a flush.
type unfinished struct{ io.Reader }

func (r unfinished) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// close says that nothing comes any more, and frees the compressor, which takes a megabyte.
func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writer != nil {
		_ = l.writer.Close() // to memory
	}
	l.writer, l.ended = nil, true
}

// forget frees the log if it had ended when this was last called, and returns how many bytes.
func (l *log) forget() (freed int, forgotten bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.old {
		freed, forgotten = l.zipped.Len(), true
		l.zipped = bytes.Buffer{}
	}
	l.old = l.ended
	return freed, forgotten
}

// whole takes in how an attempt to read the log ended, and reports whether all of it was read. A
// pod that is gone after its log began has nothing more.
func (l *log) whole(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if apierrors.IsNotFound(err) {
		if l.text == 0 {
			l.failed = err
		}
		return true
	}
	l.failed = err
	return err == nil && !l.running
}

// begun reports whether anything was read.
func (l *log) begun() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text > 0
}

// runs takes in whether the container runs.
func (l *log) runs(running bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = running
}
