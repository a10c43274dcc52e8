package gate

import (
	"fmt"
	"slices"
	"time"
)

// since says what is not as in the earlier decision that this one derives again: the verdict, and
// what may have changed it.
func since(earlier, d *Decision) []string {
	if earlier == nil {
		return nil
	}
	var out []string
	made := earlier.Made.UTC().Format(time.DateTime) + " UTC"
	if earlier.Verdict != d.Verdict {
		out = append(out, fmt.Sprintf("the decision of %s was %s, this one is %s", made, earlier.Verdict, d.Verdict))
	}
	switch then := earlier.Objectives; {
	case then == nil:
		out = append(out, fmt.Sprintf("the decision of %s does not say which objectives it used, so they may be others",
			made))
	case then.SHA256 != d.Objectives.SHA256:
		out = append(out, fmt.Sprintf("the objectives are others: SHA-256 %s then, %s now", then.SHA256, d.Objectives.SHA256))
	}
	if added := len(d.Evidence) - len(earlier.Evidence); added > 0 {
		out = append(out, count(added, "file")+" of evidence came in addition")
	}
	if !slices.Equal(earlier.Required(), d.Required()) || earlier.Tier != d.Tier || earlier.Scenarios != d.Scenarios ||
		!slices.Equal(earlier.Topologies, d.Topologies) {
		out = append(out, "the question is another one: other required criteria, tier, topologies or scenarios")
	}
	return out
}
