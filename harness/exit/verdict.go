package exit

import "fmt"

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
