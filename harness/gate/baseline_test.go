package gate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
)

// defective is the check of a chart with an error and a known defect.
func defective(t *testing.T) string {
	t.Helper()
	return changed(t, checkFile, func(doc map[string]any) {
		doc["findings"] = append(doc["findings"].([]any),
			map[string]any{
				"rule": "kube/schema", "severity": "error", "object": "Pod/a", "path": "spec.x", "line": 7,
				"message": "no such field, 1 of 3",
			},
			map[string]any{"rule": "openbao/audit-token", "severity": "error", "object": "Secret/b", "message": "renewed"})
		of(doc, "counts")["errors"], doc["passed"] = 2, false
		for _, r := range doc["rules"].([]any) {
			if m := r.(map[string]any); m["id"] == "openbao/audit-token" || m["id"] == "kube/schema" {
				m["state"] = "found"
			}
		}
	})
}

func baseline(t *testing.T, chart, expires string, entries ...string) string {
	t.Helper()
	text := "apiVersion: steamer/v1\nkind: Baseline\nchart: " + chart + "\nfindings:\n"
	for _, e := range entries {
		text += "- {severity: error, reason: known upstream, owner: team-secrets, expires: " + expires + ", " + e + "}\n"
	}
	path := filepath.Join(t.TempDir(), "accepted.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestAForeignChartCanPass judges a chart with findings: it fails, it passes with all of them
// accepted, and it fails with one more.
func TestAForeignChartCanPass(t *testing.T) {
	t.Parallel()
	const (
		field = `rule: kube/schema, object: Pod/a, path: spec.x, message: "no such field, # of #"`
		token = "rule: openbao/audit-token, object: Secret/b, message: renewed"
		gone  = "rule: openbao/audit-token, object: Secret/gone, message: renewed"
	)
	soon := time.Now().Add(48 * time.Hour).UTC().Format(time.DateOnly)
	for name, tc := range map[string]struct {
		entries []string
		want    result.Verdict
		reason  string
	}{
		"nothing accepted":        {nil, result.Fail, "kube/schema: no such field, 1 of 3"},
		"one accepted":            {[]string{field}, result.Fail, "openbao/audit-token: renewed"},
		"the other":               {[]string{token}, result.Fail, "kube/schema: no such field, 1 of 3"},
		"all accepted":            {[]string{field, token}, result.Pass, "2 accepted"},
		"and one that is no more": {[]string{field, token, gone}, result.Pass, "2 accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paths := []string{runFile, defective(t)}
			if tc.entries != nil {
				paths = append(paths, baseline(t, "openbao", soon, tc.entries...))
			}
			evidence, err := gate.Read(paths...)
			require.NoError(t, err)
			d, err := gate.Decide(evidence, policy(t))
			require.NoError(t, err)
			require.Equal(t, tc.want, d.Verdict, "%q", d.Reasons)
			require.Contains(t, strings.Join(d.Reasons, "\n"), tc.reason)
			require.Len(t, d.Accepted, min(len(tc.entries), 2))
			for _, a := range d.Accepted {
				require.Equal(t, []string{"known upstream", "team-secrets", soon}, []string{a.Reason, a.Owner, a.Expires})
			}
			require.Equal(t, len(tc.entries) == 3, strings.Contains(strings.Join(d.NotJudged, "\n"),
				"not there any more: openbao/audit-token Secret/gone"))
			for _, c := range d.Criteria {
				if c.ID == gate.Defects && tc.want == result.Pass {
					require.Equal(t, "7 absent, 0 present, 1 accepted", c.Measured)
				}
			}
			text, err := gate.Encode(d)
			require.NoError(t, err)
			_, err = gate.Decode("again", text)
			require.NoError(t, err)
		})
	}
}

// TestBaselinesAreRefused gives the gate baselines that it may not heed, and a check that claims
// an acceptance of its own.
func TestBaselinesAreRefused(t *testing.T) {
	t.Parallel()
	const field = `rule: kube/schema, object: Pod/a, path: spec.x, message: "no such field, # of #"`
	soon := time.Now().Add(48 * time.Hour).UTC().Format(time.DateOnly)
	for name, path := range map[string]string{
		"expired":            baseline(t, "openbao", "2026-01-01", field),
		"of another chart":   baseline(t, "other", soon, field),
		"of an unknown rule": baseline(t, "openbao", soon, "rule: kube/nothing, message: x"),
	} {
		_, err := gate.Read(runFile, defective(t), path)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
	}
	claimed := changed(t, defective(t), func(doc map[string]any) {
		for _, f := range doc["findings"].([]any) {
			if m := f.(map[string]any); m["severity"] == "error" {
				m["accepted"] = map[string]any{"reason": "r", "owner": "o", "expires": soon}
			}
		}
		of(doc, "counts")["errors"], of(doc, "counts")["accepted"], doc["passed"] = 0, 2, true
	})
	evidence, err := gate.Read(runFile, claimed)
	require.NoError(t, err)
	d, err := gate.Decide(evidence, policy(t))
	require.NoError(t, err)
	require.Equal(t, result.Fail, d.Verdict, "what a report says was accepted needs the baseline")
}
