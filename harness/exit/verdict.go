package exit

import (
	"context"
	"fmt"
)

// OfVerdict is the exit code of a verdict: PASS, FAIL or else INCONCLUSIVE.
func OfVerdict[V ~string](verdict V) Code {
	switch verdict {
	case "PASS":
		return Pass
	case "FAIL":
		return Fail
	default:
		return Inconclusive
	}
}

// Judged ends a command that did its work and came to a judgement: nothing is left to print.
type Judged Code

// Error names the code.
func (j Judged) Error() string { return fmt.Sprintf("exit code %d", int(j)) }

// Conclude is how a command ends that came to a verdict; err is what kept it from its end. A FAIL
// that was proven stands, whatever came after it. Then an interrupt counts, then the error, and the
// verdict last. Without a verdict the error is all there is.
func Conclude[V ~string](ctx context.Context, verdict V, err error) error {
	switch code := OfVerdict(verdict); {
	case verdict == "":
		return err
	case code == Fail:
		return Judged(Fail)
	case ctx.Err() != nil:
		return Judged(Interrupted)
	case err != nil || code == Pass:
		return err
	default:
		return Judged(code)
	}
}
