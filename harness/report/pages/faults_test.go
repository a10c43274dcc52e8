package pages

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestWriteFaults: each invariant is a case, and a violation has a picture with its faults and
// leaders.
func TestWriteFaults(t *testing.T) {
	t.Parallel()
	report := func(v result.Verdict, reason string) *check.Report {
		r := &check.Report{Record: result.NewRecord(check.Kind), History: history.Header{Server: "2.4.0"}}
		r.Verdict, r.Reasons = v, []string{reason}
		return r
	}
	failed := report(result.Fail, "one violation")
	failed.Rules = map[string]int{"S2": 3}
	failed.Violations = []check.Violation{{
		Rule: "S2", Title: "revoked access is refused", Where: "t0/policy:p", What: "access was granted",
		Steps: []check.Step{
			{Client: 1, Call: 2000, Return: 3000, Pod: 1, Text: "revoke: ok"},
			{Client: 2, Call: 4000, Return: -1, Pod: -1, Text: "use: unknown"},
		},
		Moments: []check.Moment{
			{Time: 1000, Text: "fault 0, freeze-late: began"},
			{Time: 1500, Text: "pod 1 leads in term 2"},
		},
	}, {Rule: "S2", Title: "revoked access is refused", Where: "t9/policy:q", What: "another one"}}
	for name, tc := range map[string]struct {
		report *check.Report
		junit  []string
		svg    bool
	}{
		"pass":         {report(result.Pass, "well"), []string{`failures="0"`}, false},
		"inconclusive": {report(result.Inconclusive, "killed"), []string{`failures="0"`, "<skipped", "killed"}, false},
		"fail":         {failed, []string{`failures="1"`, "3 violations of", "t9/policy:q: another one", `name="S2 `}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, WriteFaults(dir, tc.report))
			text := read(t, dir, "junit.xml")
			for _, want := range tc.junit {
				require.Contains(t, text, want)
			}
			for _, rule := range check.Rules() {
				require.Contains(t, text, `name="`+rule.ID+" ")
			}
			require.NotEmpty(t, read(t, dir, "report.json"))
			pictures, err := filepath.Glob(filepath.Join(dir, "*.svg"))
			require.NoError(t, err)
			if !tc.svg {
				require.Empty(t, pictures)
				return
			}
			require.Len(t, pictures, 1)
			picture, err := os.ReadFile(pictures[0])
			require.NoError(t, err)
			for _, want := range []string{
				"access was granted", "client 1: revoke: ok, by pod 1", "client 2: use: unknown", "fault 0, freeze-late",
				"pod 1 leads in term 2",
			} {
				require.Contains(t, string(picture), want)
			}
		})
	}
}

// TestLanes: operations and events are in the order of time, from the first on.
func TestLanes(t *testing.T) {
	t.Parallel()
	lanes := lanesOf(&check.Violation{
		Steps: []check.Step{
			{Client: 0, Call: 9000, Return: 9500, Pod: -1, Text: "late"},
			{
				Client: 0, Call: 4000, Return: -1, Pod: 0,
				Text: "open",
			},
			{Client: -1, Call: 5000, Return: 5000, Pod: 0, Text: "pod 0 is broken"},
		},
		Moments: []check.Moment{{Time: 3000, Text: "fault"}},
	})
	require.Equal(t, []lane{
		{event: true, text: "fault"},
		{from: 1, to: -3.001, open: true, text: "client 0: open, by pod 0"},
		{from: 2, to: 2, event: true, text: "pod 0 is broken"},
		{from: 6, to: 6.5, text: "client 0: late"},
	}, lanes)
}
