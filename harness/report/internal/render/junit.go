package render

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Suites writes JUnit suites under one name.
func Suites(w io.Writer, name string, list ...junit.Testsuite) error {
	suites := junit.Testsuites{Name: name}
	for _, s := range list {
		suites.AddSuite(s)
	}
	if _, err := fmt.Fprintln(w, `<?xml version="1.0" encoding="UTF-8"?>`); err != nil {
		return err
	}
	return suites.WriteXML(w)
}

// VerdictCase is a case that ended with a verdict; unsure is the word for INCONCLUSIVE, and kind
// what a failure is called. JUnit knows no third value: what is INCONCLUSIVE is skipped.
func VerdictCase(c junit.Testcase, kind string, v result.Verdict, reasons []string, unsure string) junit.Testcase {
	all := Clean(strings.Join(reasons, "\n"))
	switch first := exit.FirstLine(all); v {
	case result.Pass:
	case result.Fail:
		c.Failure = &junit.Result{Message: first, Type: kind, Data: all}
	case result.Inconclusive:
		c.Skipped = &junit.Result{Message: unsure + ": " + first}
	}
	return c
}

// Timestamp is a time as JUnit writes it.
func Timestamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05") }

// Seconds is a duration as JUnit writes it.
func Seconds(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }
