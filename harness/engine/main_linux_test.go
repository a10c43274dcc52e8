package engine

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if program := os.Getenv(programVariable); program != "" { // what a test made begin again, or started beside itself
		os.Exit(runProgram(program))
	}
	goleak.VerifyTestMain(m)
}

// programVariable makes the test's own program act as a part of a test that needs a process of its
// own.
const programVariable = "STEAMER_ENGINE_TEST"
