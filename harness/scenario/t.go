package scenario

// T is what a scenario reports to. It satisfies testify's require.TestingT.
type T interface {
	// Errorf records a failure; the scenario continues.
	Errorf(format string, args ...any)
	// Void records that a machine's trouble keeps the scenario from a judgement; the scenario
	// continues, and a failure outranks it.
	Void(format string, args ...any)
	// Skip ends the scenario's goroutine where the scenario does not apply, as only a test could
	// find out; a failure outranks it. Call it only from there.
	Skip(format string, args ...any)
	// FailNow ends the scenario's goroutine. Call it only from there.
	FailNow()
	// Failed reports whether Errorf, FailNow or a panic happened.
	Failed() bool
	// Helper marks the caller as a helper, whose lines failures do not name.
	Helper()
	// Logf keeps a line for the result. Secrets in it are redacted.
	Logf(format string, args ...any)
	// Measure keeps a number under a name with its unit, e.g. "unavailable_seconds".
	Measure(name string, value float64)
}
