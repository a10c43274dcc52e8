package gate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestOnlyWhatJobsDoIsEvidence gives the gate loads that are not as jobs make them. Alone none
// gives a PASS; beside a standard one each is listed, and what it misses counts where the chart
// had it no harder.
func TestOnlyWhatJobsDoIsEvidence(t *testing.T) {
	t.Parallel()
	jobs := func(key string, value any) func(map[string]any) {
		return each(func(top map[string]any) { of(of(top, "load"), "jobs")[key] = value })
	}
	for name, tc := range map[string]struct {
		change func(map[string]any)
		why    string
		other  bool // what it misses says nothing
	}{
		"connections kept open": {change: jobs("reuse", true), why: "it kept connections open"},
		"requests repeated":     {change: jobs("retries", true), why: "it repeated requests that had failed"},
		"one tenant":            {change: jobs("tenants", 1), why: "it fetched from 1 tenant"},
		"one secret":            {change: jobs("secrets", 1), why: "1 secret"},
		"hot tenants":           {change: jobs("choice", "hot"), why: `"hot"`, other: true},
		"another signature":     {change: jobs("signing", "ES256"), why: `"ES256"`, other: true},
		"limits stretched": {
			change: func(doc map[string]any) { of(doc, "run")["environmentLatency"] = 1000 },
			why:    "1000 ms added to every latency limit",
		},
		"excursions": {change: each(func(top map[string]any) {
			of(top, "load")["excursion"] = map[string]any{
				"seconds": 1, "offered": 1, "fetches": 0, "failed": 0, "wrong": 0,
				"dropped": 0,
			}
		}), why: "excursions"},
		"nothing recorded": {
			change: each(func(top map[string]any) { delete(of(top, "load"), "jobs") }),
			why:    "does not say what its jobs did",
		},
		"a higher rate": {
			change: each(func(top map[string]any) { of(top, "load")["offered"] = 13 }), why: "ends at 12",
			other: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decide := func(more ...string) (result.Verdict, string, string) {
				evidence, err := gate.Read(append(more, checkFile)...)
				require.NoError(t, err)
				p := policy(t)
				p.Tier = "12"
				d, err := gate.Decide(evidence, p)
				require.NoError(t, err)
				return d.Verdict, strings.Join(d.Reasons, "\n"), strings.Join(d.NotJudged, "\n")
			}
			renamed := func(doc map[string]any) {
				tc.change(doc)
				of(doc, "run")["id"] = "other"
			}
			verdict, reasons, _ := decide(changed(t, runFile, tc.change))
			require.Equal(t, result.Inconclusive, verdict)
			require.Contains(t, reasons, tc.why, "the reason says why the load does not count")

			verdict, _, notJudged := decide(runFile, changed(t, runFile, renamed))
			require.Equal(t, result.Pass, verdict, "a standard load beside it decides")
			require.Contains(t, notJudged, "the load of run other on cloud-native: ")
			require.Contains(t, notJudged, tc.why)

			missed := changed(t, runFile, func(doc map[string]any) {
				renamed(doc)
				each(func(top map[string]any) {
					load := of(top, "load")
					load["failed"], load["statuses"] = load["fetches"], map[string]any{"503": load["fetches"]}
				})(doc)
			})
			verdict, reasons, _ = decide(runFile, missed)
			if tc.other {
				require.Equal(t, result.Pass, verdict, "%s", reasons)
			} else {
				require.Equal(t, result.Fail, verdict, "who fails although it is easier, fails")
				require.Contains(t, reasons, "run other")
			}

			wrong := changed(t, runFile, func(doc map[string]any) {
				renamed(doc)
				each(func(top map[string]any) { of(top, "load")["wrong"] = 1 })(doc)
			})
			verdict, _, _ = decide(runFile, wrong)
			require.Equal(t, result.Fail, verdict, "a wrong value always counts")
		})
	}
}

// TestOldEvidence judges a record from before what jobs do was recorded: no PASS, and a FAIL where
// it shows one.
func TestOldEvidence(t *testing.T) {
	t.Parallel()
	for want, path := range map[result.Verdict]string{
		result.Inconclusive: oldFile,
		result.Fail:         changed(t, oldFile, slowed(5000)),
	} {
		evidence, err := gate.Read(path, checkFile)
		require.NoError(t, err)
		d, err := gate.Decide(evidence, policy(t))
		require.NoError(t, err)
		require.Equal(t, want, d.Verdict)
	}
}
