package fetch

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// Outcome is how a fetch ended.
type Outcome uint8

// The outcomes are disjoint: every fetch has exactly one.
const (
	// OK: status 200 and the expected value.
	OK Outcome = iota
	// Failed: no answer, another status, or an answer without a value.
	Failed
	// Wrong: status 200 with a value that is not the expected one.
	Wrong
	// Interrupted: the run ended during the fetch. It counts neither for nor against the server,
	// but it is a slow fetch whose latency is unknown.
	Interrupted
)

// Class names the cause of a failed fetch, for tags and messages; empty for OK and Interrupted.
type Class string

// Causes of failure.
const (
	// classStatus: the answer had another status than 200.
	classStatus Class = "status"
	// classTimeout: no complete answer within the timeout.
	classTimeout Class = "timeout"
	// classRefused: nothing listens at the target.
	classRefused Class = "refused"
	// classReset: the connection was reset or ended in the middle.
	classReset Class = "reset"
	// classDial: no connection for another reason (name resolution, route, blocked host).
	classDial Class = "dial"
	// classTLS: the TLS handshake failed.
	classTLS Class = "tls"
	// classProtocol: the answer is not HTTP.
	classProtocol Class = "protocol"
	// classMalformed: status 200 without a string at data.data.value.
	classMalformed Class = "malformed"
	// classValue: the value is not the expected one.
	classValue Class = "value"
	// classBusy: in mode rails, other VUs are writing to every tenant. Rails refuses a second
	// write to a project during the first.
	classBusy Class = "busy"
)

// Step names a timed part of a unit of work.
type Step string

// Steps of the connection, of each call.
const (
	stepConnect   Step = "connect"    // TCP connection; only where one had to be made
	stepTLS       Step = "tls"        // TLS handshake; likewise
	stepFirstByte Step = "first_byte" // from sending the request to the answer's header
	stepBody      Step = "body"       // from there to the answer's end; named only where a fetch is cut off
	stepBackOff   Step = "back_off"   // the wait before a repetition; likewise
)

// Steps of fetches that take more than one call; each lasts from before its connection, if it
// needs one, to its end, repetitions included.
const (
	stepLogin  Step = "login"
	stepRead   Step = "read"
	stepRevoke Step = "revoke"
)

// Steps of Rails' operations.
const (
	stepCount         Step = "count"          // LIST of names
	stepList          Step = "list"           // LIST with metadata
	stepReadMetadata  Step = "read_metadata"  // of one secret
	stepWriteValue    Step = "write_value"    //
	stepWriteMetadata Step = "write_metadata" // twice in creating and updating
	stepReadPolicy    Step = "read_policy"    //
	stepWritePolicy   Step = "write_policy"   //
	stepDelete        Step = "delete"         // of value and metadata
	stepDeletePolicy  Step = "delete_policy"  // when no other secret needs it
	stepVerify        Step = "verify"         // a job's fetch of what was written; no part of the operation
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
	// CutOff is what an interrupted fetch was doing; empty for all others.
	CutOff Step
	// Attempts is the number of requests that were answered or failed, repetitions included.
	Attempts int
	// Retries is the number of repetitions among them.
	Retries int
	// HTTP2 is the number of requests that were answered over HTTP/2; the others were over
	// HTTP/1.1.
	HTTP2 int
	// Failures are the attempts that failed, whether a retry succeeded or not.
	Failures []Failure
	// Steps are the timed parts, in the order in which they ended.
	Steps []StepTime

	at Step // of the call that runs
}

// interrupt ends the unit of work as cut off.
func (r *Result) interrupt(during Step) {
	r.Outcome, r.Class, r.CutOff = Interrupted, "", during
}

func (r *Result) step(s Step, d time.Duration) { r.Steps = append(r.Steps, StepTime{s, d}) }

// fail ends the unit of work as failed.
func (r *Result) fail(step Step, status int, class Class) {
	r.Outcome, r.Status, r.Class, r.FailedStep = Failed, status, class, step
}

// classify names the cause of a transport error, nothing without one. dialing says that there was
// no connection yet, ended that the other side closed it.
func classify(err error, dialing, ended bool) Class {
	var netErr net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &netErr) && netErr.Timeout():
		return classTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return classRefused
	case errors.Is(err, errHandshake):
		return classTLS
	case dialing:
		return classDial
	case ended:
		return classReset
	}
	return classProtocol
}
