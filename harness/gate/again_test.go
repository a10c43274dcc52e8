package gate_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// TestDecisionStandsForItsEvidence reads a decision instead of the files, and notices when one of
// them was changed.
func TestDecisionStandsForItsEvidence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := changed(t, runFile, func(map[string]any) {})
	evidence, err := gate.Read(run, checkFile)
	require.NoError(t, err)
	d, err := gate.Decide(evidence, policy(t))
	require.NoError(t, err)
	for i, f := range d.Evidence {
		abs, err := filepath.Abs(f.Path)
		require.NoError(t, err)
		d.Evidence[i].Path, err = filepath.Rel(dir, abs)
		require.NoError(t, err)
	}
	text, err := gate.Encode(d)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gate.json"), text, 0o600))
	for _, path := range []string{dir, filepath.Join(dir, "gate.json")} {
		again, err := gate.Read(path)
		require.NoError(t, err)
		require.Equal(t, d.Required(), again.Earlier.Required())
		require.Equal(t, topology.Names(), again.Earlier.Topologies)
		second, err := gate.Decide(again, policy(t))
		require.NoError(t, err)
		require.Equal(t, d.Verdict, second.Verdict)
		require.Equal(t, d.Reasons, second.Reasons)
		require.Empty(t, second.Since)
	}
	again, err := gate.Read(dir)
	require.NoError(t, err)
	raw, err := os.ReadFile("testdata/slo.yaml")
	require.NoError(t, err)
	stricter := filepath.Join(dir, "strict.yaml")
	require.NoError(t, os.WriteFile(stricter,
		[]byte(regexp.MustCompile(`(fetch_mean_ms, op: "<=", limit:) \d+`).ReplaceAllString(string(raw), "$1 0.001")), 0o600))
	p := policy(t)
	p.SLO, err = judge.ReadSLO(stricter)
	require.NoError(t, err)
	second, err := gate.Decide(again, p)
	require.NoError(t, err)
	require.Equal(t, result.Fail, second.Verdict)
	require.Len(t, second.Since, 2)
	require.Regexp(t, `was PASS, this one is FAIL`, second.Since[0])
	require.Regexp(t, `SHA-256 [0-9a-f]{64} then, [0-9a-f]{64} now$`, second.Since[1])
	again.Earlier.Objectives = nil
	second, err = gate.Decide(again, policy(t))
	require.NoError(t, err)
	require.Len(t, second.Since, 1)
	require.Contains(t, second.Since[0], "does not say which objectives it used")

	more, err := gate.Read(dir, mutantsFile)
	require.NoError(t, err)
	p = policy(t)
	p.Required = append(p.Required, gate.Mutants)
	second, err = gate.Decide(more, p)
	require.NoError(t, err)
	require.Equal(t, []string{
		"1 file of evidence came in addition",
		"the question is another one: other required criteria, tier, topologies or scenarios",
	}, second.Since)
	_, err = gate.Read(dir, filepath.Join(dir, "gate.json"))
	require.ErrorContains(t, err, "one decision again at a time")
	require.NoError(t, os.Truncate(run, 100))
	_, err = gate.Read(dir)
	require.ErrorContains(t, err, "not the file that was judged")
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}
