package readiness

import (
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/decision"
)

// since says what is not as in the earlier decision. Its evidence is the same, byte by byte, but what it is judged by may have changed.
func since(earlier, d *decision.Decision) []string {
	if earlier == nil {
		return nil
	}
	var out []string
	made := earlier.Made.UTC().Format(time.DateTime) + " UTC"
	if earlier.Verdict != d.Verdict {
		out = append(out, fmt.Sprintf("the decision of %s was %s, and the same evidence gives %s now", made, earlier.Verdict, d.Verdict))
	}
	switch {
	case earlier.Objectives == nil:
		out = append(out, fmt.Sprintf("the decision of %s does not say which objectives it used, so they may be others", made))
	case earlier.Objectives.SHA256 != d.Objectives.SHA256:
		out = append(out, fmt.Sprintf("the objectives are others than those of %s: %s had SHA-256 %s, and %s has %s", made,
			earlier.Objectives.Path, earlier.Objectives.SHA256, d.Objectives.Path, d.Objectives.SHA256))
	}
	return out
}
