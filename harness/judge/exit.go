package judge

import (
	"context"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// ExitCode is the exit code of a command that came to a verdict; err is what kept it from its end.
// A FAIL that was proven stands, whatever came after it. Then an interrupt counts, then the error,
// and the verdict last.
func ExitCode(ctx context.Context, v result.Verdict, err error) exit.Code {
	switch {
	case v == result.Fail:
		return exit.Fail
	case ctx.Err() != nil:
		return exit.Interrupted
	case err != nil:
		return exit.CodeOf(err)
	case v == result.Pass:
		return exit.Pass
	default:
		return exit.Inconclusive
	}
}
