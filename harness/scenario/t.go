package scenario

// T is what a scenario reports to. It satisfies testify's require.TestingT. The
// command line implements it with a recorder, go test through FromTesting.
type T interface {
	TestingT
	// Measure keeps a number under a name with its unit, e.g. "unavailable_seconds".
	Measure(name string, value float64)
}

// TestingT is the part of *testing.T that scenarios use.
type TestingT interface {
	// Errorf records a failure; the scenario goes on.
	Errorf(format string, args ...any)
	// FailNow ends the scenario's goroutine. Call it only from there.
	FailNow()
	// Failed reports whether Errorf, FailNow or a panic happened.
	Failed() bool
	// Helper marks the caller as a helper, whose lines failures do not name.
	Helper()
	// Logf keeps a line for the result. Secrets in it are redacted.
	Logf(format string, args ...any)
}

// FromTesting lets a scenario run under go test, given a *testing.T. Measured
// values become log lines.
func FromTesting(t TestingT) T { return adapter{t} }

type adapter struct{ TestingT }

func (a adapter) Measure(name string, value float64) {
	a.Helper()
	a.Logf("measured %s = %g", name, value)
}
