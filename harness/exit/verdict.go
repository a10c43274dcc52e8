package exit

import "fmt"

// Judged ends a command that did its work and came to a judgement: nothing is left to print.
type Judged Code

// Error names the code.
func (j Judged) Error() string { return fmt.Sprintf("exit code %d", int(j)) }
