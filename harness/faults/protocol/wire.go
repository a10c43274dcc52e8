package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"gitlab.com/steamer/steamer/harness/wait"
)

// What can happen to a request.
const (
	requestLost  = "request-lost"  // it never reaches the server
	answerLost   = "answer-lost"   // the server does it, and the client does not learn that
	stallEffect  = "stall"         // it reaches the server after Rails' lease ended and another operation was done
	leaderKilled = "leader-killed" // the server that has it ends by SIGKILL
)

// Faults are what can happen to a request.
func Faults() []string { return []string{requestLost, answerLost, stallEffect, leaderKilled} }

// errLost is what a client sees of a request or answer that is lost.
var errLost = errors.New("connection closed before an answer")

// wire is the way of the requests of one attempt. Something happens to the first request of one
// step.
type wire struct {
	next  http.RoundTripper
	fault string // "" for none
	point int    // the step that it happens to
	step  int    // the step that is sent, set by the attempt

	stalled chan struct{} // closed when a request is held
	release chan struct{} // closed to let it go on
	kill    func()        // ends the server
	after   time.Duration // from the request to the kill

	fired   bool
	receipt string // what happened; "" where nothing took effect
}

func newWire(next http.RoundTripper, fault string, point int) *wire {
	return &wire{next: next, fault: fault, point: point, stalled: make(chan struct{}), release: make(chan struct{})}
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.fault == "" || w.fired || w.step != w.point {
		return w.next.RoundTrip(r)
	}
	w.fired = true
	switch w.fault {
	case requestLost:
		if r.Body != nil {
			_ = r.Body.Close()
		}
		w.receipt = "never sent"
		return nil, errLost
	case answerLost:
		a, err := whole(w.next.RoundTrip(r))
		if err != nil {
			return nil, err // it was lost elsewhere, so that nothing is known
		}
		w.receipt = fmt.Sprintf("answered %d, and the answer dropped", a.StatusCode)
		return nil, errLost
	case stallEffect:
		close(w.stalled)
		select {
		case <-w.release:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		w.receipt = "held until the other operation had ended"
		return w.next.RoundTrip(r)
	default:
		return w.underKill(r)
	}
}

// underKill sends a request and ends the server a moment later.
func (w *wire) underKill(r *http.Request) (answer *http.Response, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		answer, err = whole(w.next.RoundTrip(r))
	}()
	_ = wait.Pause(r.Context(), w.after)
	w.kill()
	<-done
	w.receipt = "killed before an answer"
	if err == nil {
		w.receipt = fmt.Sprintf("answered %d, and killed then", answer.StatusCode)
	}
	return answer, err
}

// whole reads an answer to its end, so that it cannot be cut off later.
func whole(a *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(a.Body)
	err = errors.Join(err, a.Body.Close())
	if err != nil {
		return nil, err
	}
	a.Body = io.NopCloser(bytes.NewReader(body))
	return a, nil
}
