package load

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"gitlab.com/steamer/steamer/harness/secret"
)

// Tail keeps the last lines written to it, secrets removed. k6 repeats in its
// errors what the script or the server said, so nothing of it may be trusted.
// It is safe for concurrent use.
type Tail struct {
	mu      sync.Mutex
	pending []byte
	skip    bool // inside a line that is too long
	lines   []string
}

const (
	tailLines    = 20
	tailLineSize = 400      // bytes kept of a line, after redaction
	tailPending  = 64 << 10 // longest line looked at; a longer one is left out whole, as a cut could split a token
)

// Write takes the next bytes and never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest := p; len(rest) > 0; {
		part, after, whole := bytes.Cut(rest, []byte{'\n'})
		rest = after
		if len(t.pending)+len(part) > tailPending {
			t.pending, t.skip = t.pending[:0], true
		}
		if !t.skip {
			t.pending = append(t.pending, part...)
		}
		if whole {
			t.push()
		}
	}
	return len(p), nil
}

func (t *Tail) push() {
	s := Redact(strings.TrimSpace(string(t.pending)))
	if t.skip {
		s = fmt.Sprintf("[a line of more than %d bytes is left out]", tailPending)
	}
	t.pending, t.skip = t.pending[:0], false
	if s == "" {
		return
	}
	if len(s) > tailLineSize {
		s = strings.ToValidUTF8(s[:tailLineSize], "") + " [cut]"
	}
	t.lines = append(t.lines, s)
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}

// String returns the lines kept, an unfinished one included.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) > 0 || t.skip {
		t.push()
	}
	return strings.Join(t.lines, "\n")
}

// secretLike matches what may be a credential: a JWT or any base64 of a JSON
// object (both begin with "eyJ", which is '{"'; inline-auth headers are such),
// and OpenBao's service, batch and recovery tokens.
func secretLike() *regexp.Regexp {
	return regexp.MustCompile(`eyJ[A-Za-z0-9_\-+/=.]*|\b(?:hv)?[sbr]\.[A-Za-z0-9_\-]{16,}`)
}

// Redact replaces everything in s that looks like a credential or that the process knows to be
// one.
func Redact(s string) string {
	return secret.Redact(secretLike().ReplaceAllLiteralString(s, secret.Redacted))
}
