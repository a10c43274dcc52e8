package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/perf/wire"
)

// Outcome says how a fetch ended.
type Outcome uint8

// The outcomes are disjoint: every fetch has exactly one.
const (
	// OK: status 200 and the expected value.
	OK Outcome = iota
	// Failed: no answer, another status, or an answer without a value.
	Failed
	// Wrong: status 200 with a value that is not the expected one.
	Wrong
	// Interrupted: the run ended while the fetch was under way. It counts neither for nor against
	// the server, but it is a slow fetch whose latency is unknown.
	Interrupted
)

// Class names the cause of a failed fetch, for tags and messages; empty for OK and Interrupted.
type Class string

// Causes of failure.
const (
	// ClassStatus: the answer had another status than 200.
	ClassStatus Class = "status"
	// ClassTimeout: no complete answer within the timeout.
	ClassTimeout Class = "timeout"
	// ClassRefused: nobody listens at the target.
	ClassRefused Class = "refused"
	// ClassReset: the connection was reset or ended in the middle.
	ClassReset Class = "reset"
	// ClassDial: no connection for another reason (name resolution, route, blocked host).
	ClassDial Class = "dial"
	// ClassTLS: the TLS handshake failed.
	ClassTLS Class = "tls"
	// ClassProtocol: the answer is not HTTP.
	ClassProtocol Class = "protocol"
	// ClassMalformed: status 200 without a string at data.data.value.
	ClassMalformed Class = "malformed"
	// ClassValue: the value is not the expected one.
	ClassValue Class = "value"
	// ClassBusy: in mode rails, another VU is writing to every tenant. Rails refuses a second write
	// to a project while one is under way.
	ClassBusy Class = "busy"
)

// Step names a timed part of a unit of work.
type Step string

// Steps of the connection, of each call.
const (
	StepConnect   Step = "connect"    // TCP connection; only where one had to be made
	StepTLS       Step = "tls"        // TLS handshake; likewise
	StepFirstByte Step = "first_byte" // from sending the request to the first byte of the answer
)

// Steps of fetches that take more than one call; each lasts from before its connection, if it needs
// one, to its end, repetitions included.
const (
	StepLogin  Step = "login"
	StepRead   Step = "read"
	StepRevoke Step = "revoke"
)

// Steps of Rails' operations.
const (
	StepCount         Step = "count"          // LIST of names
	StepList          Step = "list"           // LIST with metadata
	StepReadMetadata  Step = "read_metadata"  // of one secret
	StepWriteValue    Step = "write_value"    //
	StepWriteMetadata Step = "write_metadata" // twice in creating and updating
	StepReadPolicy    Step = "read_policy"    //
	StepWritePolicy   Step = "write_policy"   //
	StepDelete        Step = "delete"         // of value and metadata
	StepDeletePolicy  Step = "delete_policy"  // when no other secret needs it
	StepVerify        Step = "verify"         // a job's fetch of what was written; no part of the operation
)

// StepTime is one timed step.
type StepTime struct {
	// Step names it.
	Step Step
	// Duration is how long it took.
	Duration time.Duration
}

// Failure is a failed attempt of a call.
type Failure struct {
	// Status is the HTTP status, 0 if there was no answer.
	Status int
	// Class says why it failed.
	Class Class
}

// Result is one unit of work: a fetch, or an operation of Rails.
type Result struct {
	// Start is when the first request was about to be sent: before connecting, if a connection had
	// to be made.
	Start time.Time
	// Duration is the time from Start until the last answer was read.
	Duration time.Duration
	// Kind is what was done: a mode other than mixed and rails, or an operation of Rails.
	Kind string
	// Status is the HTTP status of the last call, 0 if there was no answer.
	Status int
	// Outcome says how it ended.
	Outcome Outcome
	// Class says why it failed.
	Class Class
	// FailedStep is the step that failed; empty for inline fetches, which have one call only.
	FailedStep Step
	// Attempts is the number of requests that were answered or failed, repetitions included.
	Attempts int
	// Retries is the number of repetitions among them.
	Retries int
	// Failures are the attempts that failed, whether a retry succeeded or not.
	Failures []Failure
	// Steps are the timed parts, in the order in which they ended.
	Steps []StepTime
}

func (r *Result) step(s Step, d time.Duration) { r.Steps = append(r.Steps, StepTime{s, d}) }

// fail ends the unit of work as failed.
func (r *Result) fail(step Step, status int, class Class) {
	r.Outcome, r.Status, r.Class, r.FailedStep = Failed, status, class, step
}

// classify names the cause of a transport error. dialing says that there was no connection yet.
func classify(err error, dialing bool) Class {
	var netErr net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &netErr) && netErr.Timeout():
		return ClassTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return ClassRefused
	case errors.Is(err, errHandshake):
		return ClassTLS
	case dialing:
		return ClassDial
	case errors.Is(err, wire.ErrProtocol):
		return ClassProtocol
	case stale(err):
		return ClassReset
	}
	return ClassProtocol
}

// stale reports whether err is how a connection looks that the other side closed.
func stale(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}
