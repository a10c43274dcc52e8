package gate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// The records are real: a run of both topologies, to which was added what its jobs did, the static
// checks of the same chart, and the mutants that need no cluster. oldFile is that run as it was
// written, without what its jobs did.
const (
	runFile     = "testdata/run.json"
	oldFile     = "../result/testdata/run-v1.json"
	checkFile   = "testdata/charts-check.json"
	mutantsFile = "testdata/mutants.json"
)

func policy(t *testing.T) gate.Policy {
	t.Helper()
	slo, err := judge.ReadSLO("testdata/slo.yaml")
	require.NoError(t, err)
	return gate.Policy{
		SLO: slo, Validity: judge.DefaultValidity(), Topologies: topology.Names(), Required: gate.DefaultRequired(),
		Suite: []string{"access/own-secret", "hygiene/no-secret-leaks"}, Previous: &result.Chart{
			Name:    "openbao",
			Version: "0.1.0", Digest: "sha256:a",
		},
	}
}

// decideCase is evidence, as it was recorded but for what is said here, and the decision that it
// has to get.
type decideCase struct {
	run, check, mutants func(map[string]any) // nil: as recorded
	without             string               // a record to leave out
	more                []string
	tier                string
	require             []string // beyond the default
	want                result.Verdict
	reason              string // part of the first reason
}

func (tc decideCase) decide(t *testing.T) {
	t.Helper()
	t.Parallel()
	paths := append([]string{}, tc.more...)
	for path, change := range map[string]func(map[string]any){
		runFile: tc.run, checkFile: tc.check,
		mutantsFile: tc.mutants,
	} {
		if path == tc.without {
			continue
		}
		if change != nil {
			path = changed(t, path, change)
		}
		paths = append(paths, path)
	}
	evidence, err := gate.Read(paths...)
	require.NoError(t, err)
	p := policy(t)
	p.Tier, p.Required = tc.tier, append(p.Required, tc.require...)
	d, err := gate.Decide(evidence, p)
	require.NoError(t, err)
	require.Equal(t, tc.want, d.Verdict, "%q", d.Reasons)
	require.NotEmpty(t, d.Reasons)
	require.Contains(t, d.Reasons[0], tc.reason)
	require.Len(t, d.Criteria, len(gate.Criteria()))
	for _, c := range d.Criteria {
		require.Equal(t, c.Verdict != result.Pass, len(c.Reasons) > 0, "%s: reasons unless it is met: %q", c.ID, c.Reasons)
	}
	text, err := gate.Encode(d)
	require.NoError(t, err)
	_, err = gate.Decode("again", text)
	require.NoError(t, err)
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]decideCase{
		"as recorded": {want: result.Pass, reason: "static checks of the chart"},
		"scenario failed": {
			run: scenario("access/own-secret", "failed", "got 500"), want: result.Fail,
			reason: "cloud-native: access/own-secret: got 500",
		},
		"only in one topology": {
			run:  func(doc map[string]any) { doc["topologies"] = doc["topologies"].([]any)[:1] },
			want: result.Inconclusive, reason: "cloud-native-hybrid: no scenario ran",
		},
		"suite cut short": {
			run: each(func(top map[string]any) {
				top["scenarios"] = top["scenarios"].([]any)[:1]
			}),
			want: result.Inconclusive, reason: "scenarios of the suite were not tried",
		},
		"secrets leak": {
			run: scenario("hygiene/no-secret-leaks", "failed", "found in the pod's log"), want: result.Fail,
			reason: "hygiene/no-secret-leaks: found in the pod's log",
		},
		"nobody looked for secrets": {
			run: scenario("hygiene/no-secret-leaks", "skipped", "not here"), want: result.Inconclusive,
			reason: "the scan hygiene/no-secret-leaks did not pass: it was skipped: not here",
		},
		"objective missed, though the run says PASS": {
			run: slowed(5000), want: result.Fail, reason: "mean from the intended start: 5000 ms",
		},
		"a mean that its seconds contradict": {
			run:  each(func(top map[string]any) { of(of(top, "load"), "intended")["mean"] = 5000 }),
			want: result.Inconclusive, reason: "the seconds' latencies contradict the mean of all",
		},
		"generator saturated": {
			run:  each(func(top map[string]any) { of(of(top, "load"), "generator")["cpuShare"] = 0.9 }),
			want: result.Inconclusive, reason: "k6 used 90 % of the host",
		},
		"no load": {
			run: each(func(top map[string]any) { delete(top, "load") }), want: result.Inconclusive, reason: `no load of tier ""`,
		},
		"a load too small for the tier": {
			run:  each(func(top map[string]any) { of(top, "load")["offered"] = 1 }),
			want: result.Inconclusive, reason: `no load of tier "12" was given`,
		},
		"a wrong value at another tier": {
			tier: "12", want: result.Fail, reason: "1 fetches were answered with a wrong value",
			more: []string{changed(t, runFile, func(doc map[string]any) {
				of(doc, "run")["tier"], of(doc, "run")["id"] = "60", "other"
				of(doc["topologies"].([]any)[1].(map[string]any), "load")["wrong"] = 1
			})},
		},
		"a run elsewhere, where not all can run": {
			want: result.Pass, reason: "static checks of the chart",
			more: []string{changed(t, runFile, func(doc map[string]any) {
				of(doc, "run")["id"] = "full"
				top := doc["topologies"].([]any)[0].(map[string]any)
				top["name"], top["scenarios"] = "full-stack", top["scenarios"].([]any)[:1]
				delete(top, "load")
				doc["topologies"] = []any{top}
			})},
		},
		"another tier": {tier: "60", want: result.Inconclusive, reason: `no load of tier "60" was given`},
		"run stopped": {
			run: func(doc map[string]any) { of(doc, "run")["partial"] = true }, want: result.Inconclusive,
			reason: "did not reach its end",
		},
		"chart check found something": {
			check: func(doc map[string]any) {
				doc["findings"] = append(doc["findings"].([]any), map[string]any{
					"rule": "kube/schema", "severity": "error",
					"message": "no such field",
				})
				of(doc, "counts")["errors"], doc["passed"] = 1, false
			},
			want: result.Fail, reason: "kube/schema: no such field",
		},
		"known defect": {
			check: func(doc map[string]any) {
				doc["findings"] = append(doc["findings"].([]any), map[string]any{
					"rule": "openbao/audit-token", "severity": "error",
					"message": "renewed",
				})
				of(doc, "counts")["errors"], doc["passed"] = 1, false
				for _, r := range doc["rules"].([]any) {
					if m := r.(map[string]any); m["id"] == "openbao/audit-token" {
						m["state"] = "found"
					}
				}
			},
			want: result.Fail, reason: "openbao/audit-token: renewed",
		},
		"rule skipped": {
			check: func(doc map[string]any) {
				r := doc["rules"].([]any)[0].(map[string]any)
				r["state"], r["reason"] = "skipped", "for now"
			},
			want: result.Inconclusive, reason: "was skipped: for now",
		},
		"no chart check": {
			without: checkFile, want: result.Inconclusive,
			reason: "no report of charts check was given",
		},
		"no run":     {without: runFile, want: result.Inconclusive, reason: "no run was given"},
		"no mutants": {without: mutantsFile, want: result.Pass},
		"no mutants, required": {
			without: mutantsFile, require: []string{gate.Mutants}, want: result.Inconclusive,
			reason: "no record of mutants",
		},
		"a mutant survived": {
			mutants: func(doc map[string]any) { doc["outcomes"].([]any)[0].(map[string]any)["status"] = "survived" },
			want:    result.Fail, reason: "no scenario detected",
		},
		"a mutant could not be tried": {
			mutants: func(doc map[string]any) { doc["outcomes"].([]any)[0].(map[string]any)["status"] = "broken" },
			want:    result.Pass,
		},
	} {
		t.Run(name, tc.decide)
	}
}

// TestQuantilesTakeTime judges the kept minute of load by the objectives of a release: nothing in
// it speaks against the quantiles, and it is too short to hold them, whatever the profile says
// that it does not judge.
func TestQuantilesTakeTime(t *testing.T) {
	t.Parallel()
	p := policy(t)
	var err error
	p.SLO, err = judge.ReadSLO("../../perf/slo.yaml")
	require.NoError(t, err)
	lenient := changed(t, runFile, each(func(top map[string]any) {
		of(top, "load")["notJudged"] = []any{"fetch_p95_ms", "fetch_p99_ms"}
	}))
	for _, path := range []string{runFile, lenient} {
		evidence, err := gate.Read(path, checkFile)
		require.NoError(t, err)
		d, err := gate.Decide(evidence, p)
		require.NoError(t, err)
		require.Equal(t, result.Inconclusive, d.Verdict)
		require.Contains(t, strings.Join(d.Reasons, "; "), "p99 from the intended start: 0 % were above 500 ms or failed")
	}
	r, err := result.ReadFile(lenient)
	require.NoError(t, err)
	judge.Judge(r, judge.Policy{SLO: p.SLO, Validity: p.Validity})
	require.Equal(t, result.Pass, r.Verdict, "the run itself says what it does not judge: %q", r.Reasons)
	require.Contains(t, strings.Join(r.Reasons, "; "), "not judged: p99")
}

// TestOneValidMeasurementIsEnough repeats a load that a busy machine had made invalid.
func TestOneValidMeasurementIsEnough(t *testing.T) {
	t.Parallel()
	busy := changed(t, runFile, func(doc map[string]any) {
		of(doc, "run")["id"] = "busy"
		each(func(top map[string]any) { of(of(top, "load"), "generator")["cpuShare"] = 0.9 })(doc)
	})
	evidence, err := gate.Read(runFile, busy, checkFile)
	require.NoError(t, err)
	d, err := gate.Decide(evidence, policy(t))
	require.NoError(t, err)
	require.Equal(t, result.Pass, d.Verdict, "%q", d.Reasons)
	require.Len(t, d.Runs, 4)
	require.NotEqual(t, d.Runs[2].Recorded, d.Runs[2].Derived, "the record said PASS, the rules do not")
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	raw, err := os.ReadFile(runFile)
	require.NoError(t, err)
	newer := changed(t, runFile, func(doc map[string]any) { doc["apiVersion"] = "steamer/v2" })
	tier := changed(t, runFile, func(doc map[string]any) { of(doc, "run")["tier"] = "60" })
	other := changed(t, checkFile, func(doc map[string]any) { of(doc, "chart")["digest"] = "sha256:other" })
	valued := changed(t, checkFile, func(doc map[string]any) { of(doc, "chart")["values"] = "sha256:values" })
	edited := changed(t, checkFile, func(doc map[string]any) { of(doc, "counts")["errors"] = 3 })
	status := changed(t, mutantsFile, func(doc map[string]any) {
		doc["outcomes"].([]any)[0].(map[string]any)["status"] = "fine"
	})
	for name, tc := range map[string]struct {
		paths []string
		want  []string
	}{
		"nothing":         {nil, []string{"there is no evidence"}},
		"no such file":    {[]string{"/nowhere"}, []string{"--from /nowhere", "no such file"}},
		"empty directory": {[]string{t.TempDir()}, []string{"holds no result.json"}},
		"truncated":       {[]string{write("cut.json", string(raw[:len(raw)/2]))}, []string{"cut.json", "truncated?"}},
		"empty":           {[]string{write("empty.json", "")}, []string{"empty.json", "not a complete JSON document"}},
		"foreign":         {[]string{write("pod.json", `{"kind": "Pod"}`)}, []string{`kind "Pod" is not evidence`}},
		"newer result":    {[]string{newer}, []string{`"steamer/v2" is newer than "steamer/v1"`}},
		"unknown field": {
			[]string{write("odd.json", strings.Replace(string(raw), `"partial"`, `"partly"`, 1))},
			[]string{"partly"},
		},
		"twice":      {[]string{runFile, runFile}, []string{"the same content"}},
		"two tiers":  {[]string{runFile, tier}, []string{"tier 60", "tier 12", "tier mismatch", "--tier"}},
		"two charts": {[]string{runFile, other}, []string{"sha256:other", "one chart at a time"}},
		"other values": {[]string{runFile, valued}, []string{
			"values of its own (sha256:values)",
			"with no values of its own", "the same --values and --set",
		}},
		"other OpenBao": {
			[]string{runFile, compared(t, 1, 0.02, released(t),
				func(c *compare.Comparison) { c.B.Versions = map[string]string{"openbao": "9.9.9"} })},
			[]string{"about OpenBao 9.9.9", "one OpenBao at a time"},
		},
		"values compared": {
			[]string{runFile, compared(t, 1, 0.02, released(t), func(c *compare.Comparison) {
				c.A.Config,
					c.B.Config = "sha256:values", "sha256:values"
			})},
			[]string{"values of its own (sha256:values)", "with no values of its own"},
		},
		"another comparison": {
			[]string{runFile, compared(t, 1, 0.02, "sha256:elsewhere", nil)},
			[]string{"sha256:elsewhere"},
		},
		"edited check":   {[]string{edited}, []string{"does not follow from its findings"}},
		"edited mutants": {[]string{status}, []string{`unknown status "fine"`}},
		"odd comparison": {
			[]string{compared(t, 1, 0.02, "sha256:a", states("GREEN"))},
			[]string{`unknown verdict "GREEN"`},
		},
		"cut comparison": {
			[]string{write("comparison.json", `{"apiVersion": "steamer/v1", "kind": "Comparison", "pa`)},
			[]string{"truncated?"},
		},
		"other quarantine": {
			[]string{write("q.yaml",
				"apiVersion: steamer/v1\nkind: Quarantine\nmetrics:\n- metric: fetch_p95_ms\n")},
			[]string{"a reason, since and expires"},
		},
		"against itself": {[]string{compared(t, 1, 0.02, "sha256:a", nil)}, []string{"compares the chart with itself"}},
		"calibration": {
			[]string{compared(t, 1, 0.02, "sha256:b", func(c *compare.Comparison) { c.B.Injected = 0.1 })},
			[]string{"part of a calibration"},
		},
		"chartless": {[]string{compared(t, 1, 0.02, "", nil)}, []string{"which charts it compared"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := gate.Read(tc.paths...)
			if err == nil {
				_, err = gate.Decide(evidence, policy(t))
			}
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			for _, want := range append(tc.want, "hint: ") {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestKnownDefectsAreRules(t *testing.T) {
	t.Parallel()
	require.NotEmpty(t, lint.KnownDefects())
	for _, id := range lint.KnownDefects() {
		rule, known := lint.RuleNamed(id)
		require.True(t, known, id)
		require.Contains(t, rule.Detail, "nown defect",
			"a rule that looks for no known defect makes the criterion say too much")
	}
	_, err := mutation.Decode("x", []byte(`{"apiVersion": "steamer/v1", "kind": "Mutants", "outcomes": []}`))
	require.ErrorContains(t, err, "no outcome")
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{
		`{"kind": "Gate", "apiVersion": "steamer/v1", "verdict": "PASS", "evidence": [{"path": "gate.json", "sha256": "a"}]}`,
		`{"kind": "Result", "apiVersion": "steamer/v1", "verdict": "PASS", "run": {"id": "a", "tier": "12"}, "topologies": [{"name": "cloud-native", "verdict": "PASS"}]}`,
		`{"kind": "ChartCheck", "apiVersion": "steamer/v1", "passed": true, "rules": [{"id": "a", "state": "clean"}]}`,
		`{"kind": "Mutants", "apiVersion": "steamer/v1", "outcomes": [{"mutant": {"id": "a"}, "status": "survived"}]}`,
		`{"kind": "Comparison", "apiVersion": "steamer/v1", "verdict": "PASS", "a": {"chart": {}}, "b": {"chart": {"digest": "a"}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "gate.json")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		evidence, err := gate.Read(path)
		if err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			return
		}
		_, _ = gate.Decide(evidence, policy(t))
	})
}
