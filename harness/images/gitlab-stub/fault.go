package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxDelay bounds a fault's delay: a longer one is a black hole.
const maxDelay = 10 * time.Minute

// maxControl bounds a control request, in bytes.
const maxControl = 4096

// fault says how an endpoint misbehaves. The zero value is no fault.
type fault struct {
	// Status replaces the answer: 200 to 599; 0 answers as usual.
	Status int `json:"status"`
	// Delay comes before the answer: a Go duration, 0 to 10m.
	Delay duration `json:"delay"`
	// Blackhole accepts the request and never answers, until the fault is lifted.
	Blackhole bool `json:"blackhole"`
}

func (f fault) check() error {
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("status %d: give 200 to 599, or 0 for the usual answer", f.Status)
	}
	if f.Delay < 0 || time.Duration(f.Delay) > maxDelay {
		return fmt.Errorf("delay %s: give 0s to %s", time.Duration(f.Delay), maxDelay)
	}
	return nil
}

// duration reads and writes Go's notation, such as "250ms".
type duration time.Duration

// MarshalText writes the duration.
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the duration.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("not a duration such as \"250ms\"")
	}
	*d = duration(v)
	return nil
}

// endpoint counts an endpoint's requests and puts its fault before its answer.
type endpoint struct {
	requests atomic.Int64 // begun
	inFlight atomic.Int64 // not yet answered
	statuses sync.Map     // status code (int) to *atomic.Int64

	mu      sync.Mutex
	fault   fault
	changed chan struct{} // closed when the fault changes; made on first use
}

// current returns the fault and a channel that closes when it no longer holds.
func (e *endpoint) current() (fault, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.fault, e.changed
}

// set replaces the fault and releases every request the old one holds.
func (e *endpoint) set(f fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fault = f
	if e.changed != nil {
		close(e.changed)
	}
	e.changed = make(chan struct{})
}

// hold waits as the fault says and returns the fault to answer with: a change
// while waiting counts at once. It returns an error when the client or the server goes away.
func (e *endpoint) hold(ctx context.Context) (fault, error) {
	begin := time.Now()
	for {
		f, changed := e.current()
		var ready <-chan time.Time
		if !f.Blackhole {
			left := time.Duration(f.Delay) - time.Since(begin)
			if left <= 0 {
				return f, nil
			}
			timer := time.NewTimer(left)
			defer timer.Stop()
			ready = timer.C
		}
		select {
		case <-ready:
			return f, nil
		case <-changed:
		case <-ctx.Done():
			return f, ctx.Err()
		}
	}
}

// wrap counts requests and answers around next.
func (e *endpoint) wrap(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.requests.Add(1)
		e.inFlight.Add(1)
		defer e.inFlight.Add(-1)
		f, err := e.hold(r.Context())
		if err != nil {
			// No answer at all: closing the connection is what a vanished host looks like.
			panic(http.ErrAbortHandler)
		}
		counted := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() { e.answered(counted.status) }()
		if f.Status != 0 {
			fail(counted, f.Status, "injected fault")
			return
		}
		next(counted, r)
	})
}

func (e *endpoint) answered(status int) {
	n, _ := e.statuses.LoadOrStore(status, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader records and passes on the status.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// decodeFaults reads faults by endpoint name. Endpoints that are not named keep theirs.
func decodeFaults(text io.Reader) (map[string]fault, error) {
	decoder := json.NewDecoder(io.LimitReader(text, maxControl))
	decoder.DisallowUnknownFields()
	var faults map[string]fault
	if err := decoder.Decode(&faults); err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, errors.New("more than one JSON value")
	}
	for name, f := range faults {
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return faults, nil
}
