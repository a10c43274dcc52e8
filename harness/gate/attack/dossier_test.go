package attack_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/faults/record"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/history/historytest"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

// dossier is all evidence about one release, good until an attack changes it.
type dossier struct {
	t           testing.TB
	rng         *rand.Rand
	runs        []*trial
	check       *lint.Report
	comparisons []*compare.Comparison
	mutants     *mutation.Record
	histories   []*historytest.History // of faults; none, unless an attack gives some
	detected    *record.Report         // nil, unless an attack gives one
	quarantine  *compare.Quarantine
	baseline    *lint.Baseline
	policy      gate.Policy
	brief       bool // the objectives end with p95
	// The files as they are handed in; edits of an attack come after everything else.
	edits map[string]func([]byte) []byte
	leave []string // files that are not handed in
	twice []string // files that are handed in as a copy, too
}

// good is a release about which everything was shown: static checks, both topologies with the
// whole suite and ten minutes of load at tier 12, a comparison with the release before, and the
// mutants that need no cluster.
func good(t testing.TB, seed uint64) *dossier {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 16))
	d := &dossier{
		t:       t,
		rng:     rng,
		check:   goodCheck(t),
		mutants: goodMutants(t),
		policy:  releasePolicy(t),
		edits:   map[string]func([]byte) []byte{},
	}
	d.runs = []*trial{goodRun(t, rng, 0, 12, 60, 600)}
	d.comparisons = []*compare.Comparison{goodComparison(t, rng, "12", 12, 0.02)}
	return d
}

// began is when the first run of a dossier did.
func began() time.Time { return time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC) }

// read once: the records of a release that was shipped, and the objectives.
var (
	shipped = sync.OnceValues(func() (e *gate.Evidence, err error) {
		return gate.Read("../testdata/charts-check.json", "../testdata/mutants.json")
	})
	objectives = sync.OnceValues(func() (*judge.SLO, error) { return judge.ReadSLO("../../../perf/slo.yaml") })
	suite      = sync.OnceValue(scenarios.All)
)

func goodCheck(t testing.TB) *lint.Report {
	t.Helper()
	e, err := shipped()
	require.NoError(t, err)
	copied := *e.Checks[0].Doc
	copied.Rules, copied.Findings = slices.Clone(copied.Rules), slices.Clone(copied.Findings)
	return &copied
}

func goodMutants(t testing.TB) *mutation.Record {
	t.Helper()
	e, err := shipped()
	require.NoError(t, err)
	copied := *e.Mutants[0].Doc
	copied.Outcomes = slices.Clone(copied.Outcomes)
	return &copied
}

// releasePolicy is what steamer gate asks for by itself.
func releasePolicy(t testing.TB) gate.Policy {
	t.Helper()
	slo, err := objectives()
	require.NoError(t, err)
	p := gate.Policy{
		SLO: slo, Validity: judge.DefaultValidity(), Topologies: topology.Names(), Tier: "12",
		Scenarios: scenario.All, Required: gate.DefaultRequired(),
		Previous: &result.Chart{Name: "openbao", Version: "0.1.0", Digest: "sha256:previous"},
	}
	p.Suite, p.Subjects = suiteIDs(), subjects()
	return p
}

// faults is a history of the release in a topology, in which all that was acknowledged holds.
func (d *dossier) faults(where string) *historytest.History {
	h := historytest.Generate(historytest.Options{Seed: 7, Clients: 6, Keys: 12, Ops: 2000, Unknown: 0.05, Faults: 4})
	h.Header.Chart, h.Header.Topology = &d.runs[0].doc.Topologies[0].Chart, where
	return h
}

func subjects() map[string]result.Subject {
	out := map[string]result.Subject{}
	for _, s := range suite() {
		out[s.ID] = s.Subject
	}
	return out
}

var suiteIDs = sync.OnceValue(func() []string {
	var ids []string
	for _, s := range suite() {
		ids = append(ids, s.ID)
	}
	return ids
})

// extract leaves every fifth scenario of the suite, and those that look for secrets, to ask for
// and in all records.
func (d *dossier) extract() {
	d.policy.Suite = extractIDs()
	for _, run := range d.runs {
		for i := range run.doc.Topologies {
			run.doc.Topologies[i].Scenarios = slices.Clone(extractOutcomes())
		}
	}
}

var (
	extractIDs = sync.OnceValue(func() []string {
		var ids []string
		for i, id := range suiteIDs() {
			if i%5 == 0 || strings.HasPrefix(id, "hygiene/") {
				ids = append(ids, id)
			}
		}
		return ids
	})
	extractOutcomes = sync.OnceValue(func() []result.Scenario {
		return slices.DeleteFunc(goodScenarios(), func(s result.Scenario) bool {
			return s.ID != "lifecycle/install" && !slices.Contains(extractIDs(), s.ID)
		})
	})
)

// goodRun is the record of a run, still without its loads, which begin an hour after each other.
func goodRun(t testing.TB, rng *rand.Rand, number int, rate, warmup, seconds float64, topologies ...string) *trial {
	t.Helper()
	start := began().Add(time.Duration(number) * 24 * time.Hour)
	run := &trial{loads: map[string]*traffic{}, doc: &result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind, Verdict: result.Inconclusive,
		Reasons: []string{}, NotMeasured: []string{},
		Run: result.Run{
			ID: fmt.Sprintf(
				"20261128-20000%d-good",
				number,
			), Started: start, Finished: start.Add(3 * time.Hour), Profile: "steady", Tier: fmt.Sprint(rate),
			Reproduce: "steamer gate --profile steady --tier 12", Steamer: "test data",
			Host: result.Host{
				OS:        "Debian GNU/Linux 12 (bookworm)",
				Kernel:    "6.18.44",
				CPUs:      4,
				MemoryMiB: 24105,
				Cgroup:    "v2",
				Engine:    "docker 28.1.1",
			},
		},
		Steps: []result.Step{{Name: "engine", Started: start, Seconds: 0.3}, {Name: "cluster", Started: start, Seconds: 50}},
	}}
	chart := goodCheck(t).Chart
	if len(topologies) == 0 {
		topologies = topology.Names()
	}
	for i, name := range topologies {
		run.loads[name] = quiet(rng, start.Add(time.Duration(i+1)*time.Hour), rate, warmup, seconds)
		run.doc.Topologies = append(run.doc.Topologies, result.Topology{
			Name: name, Verdict: result.Inconclusive, Reasons: []string{}, Chart: chart,
			Versions: map[string]string{
				"openbao":    "2.4.0",
				"kubernetes": "v1.36.3",
				"postgresql": "15",
				"k6":         "v2.1.0",
				"helm":       "v3.22.0",
				"kind":       "v0.33.0",
			},
			Images: map[string]string{"openbao": "steamer.local/openbao:2.4.0@sha256:b"}, Checks: []result.Check{},
			Seed: &result.Seed{
				Tenants: 50,
				Secrets: 200,
				Recipes: map[string]int{"two-level-jwt": 25, "three-level-cel": 25},
				Seconds: 9,
				Calls:   1772,
			},
			Scenarios: goodScenarios(),
		})
		run.doc.Steps = append(
			run.doc.Steps,
			result.Step{Name: "load", Topology: name, Started: start, Seconds: warmup + seconds},
		)
	}
	return run
}

// goodScenarios is what the whole suite gives for a good release: all pass but those that this
// OpenBao and this cluster have nothing for.
func goodScenarios() []result.Scenario {
	return slices.Clone(suiteOutcomes())
}

var suiteOutcomes = sync.OnceValue(func() []result.Scenario {
	out := []result.Scenario{
		{ID: "lifecycle/install", Title: "The chart installs", Protects: "everything", Status: result.Passed, Seconds: 20},
	}
	for _, s := range suite() {
		one := result.Scenario{
			ID: s.ID, Subject: s.Subject, Title: s.Title, Protects: s.Protects, Status: result.Passed,
			Seconds: 0.2,
		}
		if slices.ContainsFunc(s.Features, func(f scenario.Feature) bool {
			return f == scenario.FeatureAuditHTTP
		}) {
			one.Status, one.Reason = result.Skipped, "OpenBao 2.4.0 has no audit device of type http"
		}
		out = append(out, one)
	}
	return out
})

// goodComparison is one of two releases that are alike, on the first topology, with some noise of
// sd between the slices of a pair.
func goodComparison(t testing.TB, rng *rand.Rand, tier string, pairs int, sd float64) *compare.Comparison {
	t.Helper()
	d := compare.DefaultDesign()
	d.Where, d.Tier, d.MaxPairs, d.InterimEvery = topology.CloudNative, tier, 36, 12
	d.GateMetrics = compare.DefaultGate(gate.DefaultMargin)
	c := compare.New("compare-20261128", d)
	c.Started = began().Add(-24 * time.Hour)
	head := goodCheck(t).Chart
	c.A = compare.Subject{
		Description: "openbao 0.1.0",
		Chart:       &result.Chart{Name: head.Name, Version: "0.1.0", Digest: "sha256:previous"},
		Versions:    map[string]string{"openbao": "2.4.0"},
	}
	c.B = compare.Subject{Description: "openbao 0.2.0", Chart: &head, Versions: map[string]string{"openbao": "2.4.0"}}
	at := c.Started
	for i := range pairs {
		slice := func() compare.Slice {
			s := compare.Slice{Start: at, Fetches: 300, Achieved: 60, Values: map[string]float64{}}
			at = at.Add(7 * time.Second)
			for _, name := range compare.Recorded() {
				s.Values[name] = typical(name) * math.Exp(sd*rng.NormFloat64()/math.Sqrt2)
			}
			return s
		}
		c.Pairs = append(c.Pairs, compare.Pair{Order: []string{"AB", "BA"}[i%2], A: slice(), B: slice()})
	}
	c.Finished, c.Partial = at, false
	return c
}

// typical is what a metric has in a slice, in its unit.
func typical(metric string) float64 {
	switch {
	case strings.Contains(metric, "p95"):
		return 14
	case strings.Contains(metric, "p99"):
		return 25
	case strings.HasSuffix(metric, "mib"):
		return 64
	case strings.HasPrefix(metric, "postgresql"):
		return 1.5
	}
	return 7
}

// count has every run's loads in its record.
func (d *dossier) count() {
	for _, run := range d.runs {
		for i := range run.doc.Topologies {
			where := &run.doc.Topologies[i]
			if traffic := run.loads[where.Name]; traffic != nil {
				where.Load = traffic.load()
				traffic.resources(where)
			}
		}
	}
}

// conclude states in each record the verdict that follows from it.
func (d *dossier) conclude() {
	for _, run := range d.runs {
		judgeRun(run.doc, d.policy)
	}
	for _, c := range d.comparisons {
		compare.Judge(c, nil)
	}
}

// judgeRun gives a run the verdict that steamer run would.
func judgeRun(r *result.Result, p gate.Policy) {
	judge.Judge(r, judge.Policy{SLO: p.SLO, Validity: p.Validity, Expect: judge.Expect{Scenarios: true, Load: true}})
}

// write puts the evidence into files and returns their paths.
func (d *dossier) write(t *testing.T) []string {
	t.Helper()
	files := map[string][]byte{}
	put := func(name string, data []byte, err error) {
		require.NoError(t, err, name)
		files[name] = data
	}
	for i, run := range d.runs {
		data, err := json.MarshalIndent(run.doc, "", " ") // what Encode would refuse, too
		put(fmt.Sprintf("result-%d.json", i), data, err)
	}
	for i, c := range d.comparisons {
		data, err := json.MarshalIndent(c, "", " ")
		put(fmt.Sprintf("comparison-%d.json", i), data, err)
	}
	data, err := json.Marshal(d.check)
	put("charts-check.json", data, err)
	data, err = json.Marshal(d.mutants)
	put("mutants.json", data, err)
	for i, h := range d.histories {
		put(fmt.Sprintf("history-%d", i), h.Bytes(), nil)
	}
	if d.detected != nil {
		data, err = encode(t, d.detected)
		put("record.json", data, err)
	}
	if d.quarantine != nil {
		data, err = json.Marshal(d.quarantine)
		put("quarantine.json", data, err)
	}
	if d.baseline != nil {
		data, err = json.Marshal(d.baseline)
		put("baseline.json", data, err)
	}
	for _, name := range d.leave {
		require.Contains(t, files, name)
		delete(files, name)
	}
	for name, edit := range d.edits {
		require.Contains(t, files, name)
		before := string(files[name])
		files[name] = edit(files[name])
		require.NotEqual(t, before, string(files[name]), "the edit of %s changes nothing", name)
	}
	for _, name := range d.twice {
		files["copy-"+name] = files[name]
	}
	dir := t.TempDir()
	var paths []string
	for name, data := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// compared is the first comparison of the dossier, which gets one where it has none.
func (d *dossier) compared() *compare.Comparison {
	if len(d.comparisons) == 0 {
		d.comparisons = []*compare.Comparison{goodComparison(d.t, d.rng, d.policy.Tier, 12, 0.02)}
	}
	return d.comparisons[0]
}
