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
	// Interrupted: the run ended while the fetch was under way. It counts neither for nor against the server,
	// but it is a slow fetch whose latency is unknown.
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
)

// Result is one fetch.
type Result struct {
	// Start is when the request was about to be sent: before connecting, if a connection had to be made.
	Start time.Time
	// Duration is the time from Start until the whole answer was read.
	Duration time.Duration
	// Status is the HTTP status, 0 if there was no answer.
	Status int
	// Outcome says how it ended.
	Outcome Outcome
	// Class says why it failed.
	Class Class
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
