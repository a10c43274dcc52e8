// Package tail keeps the end of what was written: a failure is explained by what came last.
package tail

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// Buffer keeps the last Limit bytes of what was written to it, whole lines of them. Its zero value
// keeps nothing; it is safe for concurrent use.
type Buffer struct {
	Limit int // in bytes, at least 1

	mu    sync.Mutex
	data  []byte
	total int64
}

// Write implements io.Writer and never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total += int64(len(p))
	b.data = append(b.data, p[max(0, len(p)-b.Limit):]...)
	if len(b.data) >= 2*b.Limit { // moved once in Limit bytes
		b.data = append(b.data[:0], b.data[len(b.data)-b.Limit:]...)
	}
	return len(p), nil
}

// String returns the end of what was written. Where bytes are missing before it, it begins with a
// line that says how many, and then with the first whole line: half a line could be half a secret
// that nobody recognises.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := b.data[max(0, len(b.data)-b.Limit):]
	if b.total == int64(len(end)) {
		return string(end)
	}
	_, end, _ = bytes.Cut(end, []byte{'\n'})
	return fmt.Sprintf("[%d bytes before this are left out]\n%s", b.total-int64(len(end)), end)
}

// Read returns the last limit bytes of r, as String does.
func Read(r io.Reader, limit int) (string, error) {
	b := Buffer{Limit: limit}
	_, err := io.Copy(&b, r)
	return b.String(), err
}
