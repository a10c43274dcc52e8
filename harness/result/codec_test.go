package result_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// small is a result with one of each thing whose validity is checked.
func small() *result.Result {
	at := time.Date(2026, 11, 23, 15, 0, 0, 123456789, time.UTC)
	return &result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind, Verdict: result.Fail, Reasons: []string{"cloud-native: p99"},
		Run: result.Run{ID: "20261123-150000-abcd", Started: at, Finished: at.Add(time.Minute)},
		Topologies: []result.Topology{{
			Name: "cloud-native", Verdict: result.Fail, Reasons: []string{"p99"},
			Scenarios: []result.Scenario{{ID: "access/own-secret", Status: result.Passed}, {
				ID: "x", Status: result.Skipped,
				Reason: "needs a NetworkPolicy enforcer",
			}},
			Load:   &result.Load{Workload: "fetch", Start: at, OfferedRate: 12, Series: []result.Interval{{Phase: "warmup"}}},
			Checks: []result.Check{{ID: "slo/p99", Kind: "slo", Verdict: result.Fail}},
		}},
		Steps: []result.Step{{Name: "install", Started: at}},
	}
}

func TestWriteThenRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "result.json")
	want := small()
	require.NoError(t, result.WriteFile(path, want))
	want.Verdict = result.Pass
	require.NoError(t, result.WriteFile(path, want), "an existing file is replaced")
	got, err := result.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, got)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{path}, left, "no temporary file stays")
}

func TestWriteFailureKeepsTheOldFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "result.json")
	require.NoError(t, result.WriteFile(path, small()))
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	bad := small()
	bad.Topologies[0].Load.Actual.Mean = math.NaN()
	require.ErrorContains(t, result.WriteFile(path, bad), "cannot be written as JSON")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)

	err = result.WriteFile(filepath.Join(dir, "absent", "result.json"), small())
	require.Equal(t, exit.Environment, exit.CodeOf(err))
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good, err := result.Encode(small())
	require.NoError(t, err)
	sub := func(old, with string) []byte {
		out := strings.Replace(string(good), old, with, 1)
		require.NotEqual(t, string(good), out, "%q is not in the document", old)
		return []byte(out)
	}
	for name, tc := range map[string]struct {
		data    []byte
		wantErr string
	}{
		"empty":            {nil, "not a complete JSON document"},
		"truncated":        {good[:len(good)/2], "not a complete JSON document"},
		"one byte short":   {good[:len(good)-2], "not a complete JSON document"},
		"foreign JSON":     {[]byte(`{"metrics":{}}`), `apiVersion "", kind ""`},
		"not an object":    {[]byte(`[]`), "not a complete JSON document"},
		"binary":           {[]byte("\x7fELF"), "not a complete JSON document"},
		"newer":            {sub(`"steamer/v1"`, `"steamer/v2"`), `apiVersion "steamer/v2" is newer than "steamer/v1"`},
		"foreign version":  {sub(`"steamer/v1"`, `"k6/v1"`), `apiVersion "k6/v1"`},
		"other kind":       {sub(`"Result"`, `"Plan"`), `kind "Plan"`},
		"unknown field":    {sub(`"verdict"`, `"verdit"`), `unknown field "verdit"`},
		"trailing data":    {append([]byte(string(good)), "{}"...), "not a complete"},
		"verdict":          {sub(`"verdict": "FAIL"`, `"verdict": "GREEN"`), `unknown verdict "GREEN"`},
		"scenario status":  {sub(`"status": "passed"`, `"status": "ok"`), `unknown status "ok"`},
		"skip no reason":   {sub(`"needs a NetworkPolicy enforcer"`, `""`), "skipped without a reason"},
		"no run id":        {sub(`"20261123-150000-abcd"`, `""`), "run.id is empty"},
		"unnamed topology": {sub(`"name": "cloud-native"`, `"name": ""`), "empty or used twice"},
		"negative rate":    {sub(`"offered": 12`, `"offered": -12`), "-12 is not a rate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := result.Decode("some.json", tc.data)
			require.ErrorContains(t, err, tc.wantErr)
			require.ErrorContains(t, err, "some.json")
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		})
	}
}

func TestReadFileMissing(t *testing.T) {
	t.Parallel()
	_, err := result.ReadFile(filepath.Join(t.TempDir(), "none.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}

func FuzzDecode(f *testing.F) {
	good, err := result.Encode(small())
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte(`{"apiVersion":"steamer/v1","kind":"Result"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := result.Decode("fuzz", data)
		if err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			return
		}
		again, err := result.Encode(r)
		require.NoError(t, err, "what was read can be written")
		r2, err := result.Decode("again", again)
		require.NoError(t, err)
		again2, err := result.Encode(r2)
		require.NoError(t, err)
		require.Equal(t, string(again), string(again2), "the encoding is stable")
	})
}
