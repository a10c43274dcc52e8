package gate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// stillQuarantined is an expiry that has not come.
func stillQuarantined() time.Time { return time.Now().Add(time.Hour) }

// pages are the reports of a decision for people.
func pages(t *testing.T, d *gate.Decision) []string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, report.WriteDecision(dir, d))
	var out []string
	for _, name := range []string{"gate.html", "gate.md"} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		out = append(out, string(page))
	}
	return out
}

// without has the run skip scenarios for a reason.
func without(reason string, ids ...string) func(map[string]any) {
	return func(doc map[string]any) {
		for _, id := range ids {
			scenario(id, "skipped", reason)(doc)
		}
	}
}

// TestWhatWasNotJudgedIsTold: no decision says that nothing was left out when something was.
func TestWhatWasNotJudgedIsTold(t *testing.T) {
	t.Parallel()
	whole := func(name string) func(map[string]any) {
		return func(doc map[string]any) { of(doc, "run")["id"] = name }
	}
	for name, tc := range map[string]struct {
		run        func(map[string]any)
		again      bool // the recorded run, which skipped nothing, is there, too
		scenarios  string
		topologies []string
		want       []string // in what was not judged, and in the reports
		absent     string
	}{
		"nothing was skipped": {run: whole("whole"), scenarios: "all", absent: "scenario"},
		"no pattern":          {run: whole("whole"), absent: "--scenarios"},
		"skipped for one reason": {
			run: without("no second node", "access/other-project", "access/missing-policy"), scenarios: "all",
			absent: "--scenarios",
			want: []string{
				"2 scenarios skipped on cloud-native, access/other-project, access/missing-policy: no second node",
				"2 scenarios skipped on cloud-native-hybrid, access/other-project, access/missing-policy: no second node",
			},
		},
		"skipped once, and tried once": {
			run: without("no second node", "access/other-project"), again: true,
			scenarios: "all", absent: "no second node",
		},
		"some were chosen": {
			run: whole("whole"), scenarios: "access/",
			want: []string{"scenarios that --scenarios access/ does not choose: nobody asked for them"},
		},
		"one topology": {
			run:        func(doc map[string]any) { doc["topologies"] = doc["topologies"].([]any)[:1] },
			topologies: []string{topology.CloudNative}, want: []string{"topology cloud-native-hybrid: nobody asked for it"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paths := []string{changed(t, runFile, tc.run), checkFile}
			if tc.again {
				paths = append(paths, runFile)
			}
			evidence, err := gate.Read(paths...)
			require.NoError(t, err)
			p := policy(t)
			p.Scenarios = tc.scenarios
			if tc.topologies != nil {
				p.Topologies = tc.topologies
			}
			d, err := gate.Decide(evidence, p)
			require.NoError(t, err)
			require.Equal(t, result.Pass, d.Verdict, "%q", d.Reasons)
			told := strings.Join(d.NotJudged, "\n")
			if tc.absent != "" {
				require.NotContains(t, told, tc.absent)
			}
			for _, want := range tc.want {
				require.Contains(t, d.NotJudged, want)
				for _, page := range pages(t, d) {
					require.Contains(t, page, want)
				}
			}
		})
	}
}

// TestOnlyInlineLoadsCount: a load that does something else than jobs do is no load at the tier,
// whatever its rate, and the reports say so.
func TestOnlyInlineLoadsCount(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"rails", "mixed", "login-read"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			other := changed(t, runFile, func(doc map[string]any) {
				of(doc, "run")["id"] = "other"
				each(func(top map[string]any) { of(top, "load")["mode"] = mode })(doc)
			})
			evidence, err := gate.Read(other, checkFile)
			require.NoError(t, err)
			d, err := gate.Decide(evidence, policy(t))
			require.NoError(t, err)
			require.Equal(t, result.Inconclusive, d.Verdict, "%q", d.Reasons)
			require.Contains(t, d.Reasons[0], `no load of tier "12" was given that counts`)
			why := "it is of mode " + mode + ", and jobs fetch in mode inline"
			for _, j := range d.Runs {
				require.False(t, j.Counts)
				require.Equal(t, why, j.Apart)
			}
			require.Contains(t, d.NotJudged, "the load of run other on cloud-native: "+why)
			for _, page := range pages(t, d) {
				require.Contains(t, page, "load is not judged by this gate: "+why)
				require.NotContains(t, page, "another tier")
			}

			evidence, err = gate.Read(other, runFile, checkFile)
			require.NoError(t, err)
			d, err = gate.Decide(evidence, policy(t))
			require.NoError(t, err)
			require.Equal(t, result.Pass, d.Verdict, "it does no harm beside one that counts: %q", d.Reasons)
		})
	}
}
