package resilience

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// recording is a scenario.T that keeps failures.
type recording struct {
	scenario.T
	failures []string
}

func (r *recording) Helper()                 {}
func (r *recording) Measure(string, float64) {}
func (r *recording) FailNow()                {}
func (r *recording) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// TestCompareAnswers: a grant that is lost, a refusal that is, and another value are all reported.
func TestCompareAnswers(t *testing.T) {
	t.Parallel()
	before := map[string]answer{"value": {status: 200, content: [32]byte{1}}, "other": {status: 403}, "late": {400, true, [32]byte{}}}
	for name, tc := range map[string]struct {
		question string
		is       answer
		reason   string
	}{
		"same":             {"value", before["value"], ""},
		"grant lost":       {"value", answer{status: 403}, "status 200 (login refused: false) before the takeover, 403 (false) after it"},
		"refusal lost":     {"other", answer{status: 200}, "other: status 403"},
		"refused later":    {"late", answer{status: 400}, "status 400 (login refused: true)"},
		"another value":    {"value", answer{status: 200, content: [32]byte{2}}, "holds something else"},
		"no answer at all": {"value", answer{}, "0 (false) after it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := map[string]answer{"value": before["value"], "other": before["other"], "late": before["late"]}
			after[tc.question] = tc.is
			var r recording
			compareAnswers(&r, before, after)
			if tc.reason == "" {
				require.Empty(t, r.failures)
				return
			}
			require.Len(t, r.failures, 1)
			require.Contains(t, r.failures[0], tc.reason)
		})
	}
	for _, empty := range []map[string]answer{{}, {"value": {status: 200}}, {"other": {status: 403}}} {
		var r recording
		compareAnswers(&r, empty, empty)
		require.NotEmpty(t, r.failures, "a comparison that proves nothing: %v", empty)
	}
}
