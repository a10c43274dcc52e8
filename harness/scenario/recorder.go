package scenario

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"gitlab.com/steamer/steamer/harness/secret"
)

// maxLog bounds the lines kept per scenario; the oldest go first.
const maxLog = 500

// recorder is the T that Run gives to scenarios. Everything it keeps went through the redactor.
type recorder struct {
	redact *secret.Redactor
	inTime func() bool // reports whether there was no interrupt yet; nil: there is none

	mu       sync.Mutex
	sealed   bool // the result was taken; what comes later is dropped
	failed   bool
	early    bool   // it failed while inTime: an interrupt was not the reason
	reason   string // the first failure
	void     string // the first reason for no judgement
	skip     string // why it does not apply
	log      []string
	measured map[string]float64
}

func newRecorder(redact *secret.Redactor) *recorder {
	return &recorder{redact: redact, measured: map[string]float64{}}
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.fail(fmt.Sprintf(format, args...))
}

func (r *recorder) Void(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if !r.sealed && r.void == "" {
		r.void = r.redact.Redact(text)
	}
	r.line("not judged: " + text)
}

func (r *recorder) Skip(format string, args ...any) {
	r.mu.Lock()
	r.skip = r.redact.Redact(fmt.Sprintf(format, args...))
	r.mu.Unlock()
	runtime.Goexit() // as FailNow
}

func (r *recorder) FailNow() {
	r.fail("failed without a message")
	runtime.Goexit() // ends the scenario's goroutine and runs its deferred calls
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.line(fmt.Sprintf(format, args...))
}

func (r *recorder) Measure(name string, value float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sealed {
		r.measured[name] = value
	}
}

// fail keeps the first message as the reason and every message in the log.
func (r *recorder) fail(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed || r.failed && message == "failed without a message" {
		return
	}
	message = strings.TrimSpace(message)
	if !r.failed {
		r.failed, r.reason = true, readable(r.redact.Redact(message))
		r.early = r.inTime == nil || r.inTime()
	}
	r.line("FAIL: " + message)
}

// line adds a log line. The caller holds the lock.
func (r *recorder) line(text string) {
	if r.sealed {
		return
	}
	r.log = append(r.log, r.redact.Redact(text))
	if len(r.log) > maxLog {
		r.log = slices.Delete(r.log, 0, len(r.log)-maxLog)
	}
}

// catch turns a panic of the scenario into a failure with its stack. Defer it.
func (r *recorder) catch() {
	if p := recover(); p != nil {
		r.fail(fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
	}
}

// voided is why there is no judgement, or "".
func (r *recorder) voided() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.void
}

// skipped is why the scenario does not apply, or "".
func (r *recorder) skipped() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.skip
}

// seal ends recording and returns what was kept.
func (r *recorder) seal() (failed, early bool, reason string, log []string, measured map[string]float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sealed = true
	return r.failed, r.early, r.reason, slices.Clone(r.log), maps.Clone(r.measured)
}
