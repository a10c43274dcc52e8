// Package exit defines the exit codes of Steamer's commands and the error type
// that carries one from the place that knows the cause to the process's end.
package exit

import (
	"errors"
	"fmt"
	"strings"
)

// Code is a process exit code of the steamer command. The values are a public
// interface: CI jobs branch on them.
type Code int

// The exit codes, documented in docs/reference/exit-codes.md.
const (
	Pass         Code = 0   // every check held
	Fail         Code = 1   // a scenario or an SLO failed
	Inconclusive Code = 2   // the run could not measure what it set out to measure
	Invalid      Code = 3   // bad input; nothing was touched
	Environment  Code = 4   // engine, cluster, images or another part of the environment failed
	Internal     Code = 5   // a defect in Steamer itself
	Interrupted  Code = 130 // SIGINT or SIGTERM before anything had failed (else 1); everything was cleaned up
)

// Error says what input or step failed, why, and how to fix it. All three are
// shown to the user; none may hold a secret.
type Error struct {
	Code  Code
	Input string // the flag, file, value or step concerned
	Cause error  // why it failed
	Hint  string // what the user can do about it; may be empty
}

// Error renders the input, the cause and the hint.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %v", e.Input, e.Cause)
	if e.Hint != "" {
		s += "\n  hint: " + e.Hint
	}
	return s
}

// FirstLine is an error's text without its hint and what else follows on further lines.
func FirstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Invalidf reports bad input, found before any side effect.
func Invalidf(input, hint, format string, args ...any) error {
	return &Error{Code: Invalid, Input: input, Cause: fmt.Errorf(format, args...), Hint: hint}
}

// Environmentf reports that the engine, the cluster, an image or the host failed.
func Environmentf(input, hint, format string, args ...any) error {
	return &Error{Code: Environment, Input: input, Cause: fmt.Errorf(format, args...), Hint: hint}
}

// CodeOf returns the exit code an error asks for, Pass for nil and Internal for
// an error that names none.
func CodeOf(err error) Code {
	if err == nil {
		return Pass
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
