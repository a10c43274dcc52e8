package mutation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

const root = "../.."

// TestMutantsAreSound reads the mutants there are, and applies the edits of each to what they
// edit.
func TestMutantsAreSound(t *testing.T) {
	t.Parallel()
	list, err := Read(root, scenarios.All())
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(list), 150)
	charts := 0
	for _, m := range list {
		if m.Kind == Chart {
			charts++
		}
	}
	require.GreaterOrEqual(t, charts, 90)
	for _, m := range list {
		for _, edit := range m.Edits {
			raw, err := os.ReadFile(filepath.Join(root, kinds[m.Kind], edit.File))
			require.NoError(t, err, m.ID)
			changed, err := m.apply(edit.File, string(raw))
			require.NoError(t, err)
			require.NotEqual(t, string(raw), changed, m.ID)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	const good = "mutants: [{id: a, breaks: b, kind: recipe, edits: [{file: f, old: x, new: y}], caught: [lifecycle/install]}]"
	for name, c := range map[string]struct{ old, new, reason string }{
		"unknown field":     {"breaks: b", "breaks: b, Colour: red", "unknown field"},
		"ID":                {"id: a", "id: A b", "words in lower case"},
		"kind":              {"kind: recipe", "kind: cake", "none of recipe, server, chart"},
		"no change":         {"edits: [{file: f, old: x, new: y}], ", "", "break something"},
		"values of recipe":  {"kind: recipe", "kind: recipe, values: {a: 1}", "values to chart"},
		"topology":          {"kind: recipe", "kind: chart, topology: moon", "topology"},
		"nothing catches":   {"[lifecycle/install]", "[]", "name the scenarios"},
		"both catch":        {"caught:", "rules: [kube/yaml], caught:", "name the scenarios"},
		"rules of recipe":   {"caught: [lifecycle/install]", "rules: [kube/yaml]", "only chart mutants"},
		"unknown rule":      {"kind: recipe, edits: [{file: f, old: x, new: y}], caught: [lifecycle/install]", "kind: chart, values: {a: 1}, rules: [moon/one]", "no rule moon/one"},
		"needs of rules":    {"kind: recipe, edits: [{file: f, old: x, new: y}], caught: [lifecycle/install]", "kind: chart, values: {a: 1}, needs: audit-http, rules: [kube/yaml]", "needs"},
		"unknown scenario":  {"lifecycle/install", "lifecycle/nothing", "no scenario lifecycle/nothing"},
		"edit of nothing":   {"old: x", "old: ''", "old must be there"},
		"edit that is none": {"old: x", "old: y", "differ from new"},
		"edit outside":      {"file: f", "file: ../f", "lie in"},
		"twice":             {"mutants: [", "mutants: [{id: a, breaks: b, kind: chart, values: {a: 1}, caught: [lifecycle/install]}, ", "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, good, c.old)
			dir := t.TempDir()
			require.NoError(t, os.MkdirAll(filepath.Join(dir, Dir), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, Dir, "a.yaml"), []byte(strings.Replace(good, c.old, c.new, 1)),
				0o600))
			_, err := Read(dir, nil)
			require.ErrorContains(t, err, c.reason)
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		})
	}
	_, err := Read(t.TempDir(), nil)
	require.ErrorContains(t, err, "no mutants")
}

func TestEditThatFindsNothing(t *testing.T) {
	t.Parallel()
	m := Mutant{ID: "a", Kind: Chart, Edits: []Edit{{File: "openbao/values.yaml", Old: "no such text", New: "x"}}}
	require.ErrorContains(t, m.copyCharts(root, t.TempDir()), "it has moved on")
}

func TestCopyCharts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := Mutant{ID: "a", Kind: Chart, Edits: []Edit{{
		File: "openbao/values.yaml", Old: "replicaCount: 2",
		New: "replicaCount: 7",
	}}}
	require.NoError(t, m.copyCharts(root, dir))
	raw, err := os.ReadFile(filepath.Join(dir, "openbao/values.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(raw), "replicaCount: 7")
	original, err := os.ReadFile(filepath.Join(root, "charts/openbao/values.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(original), "replicaCount: 2", "the charts themselves stay as they are")
	require.FileExists(t, filepath.Join(dir, "postgresql/Chart.yaml"))
}

func TestJudge(t *testing.T) {
	t.Parallel()
	m := Mutant{ID: "a", Caught: []string{"x/one", "x/two"}, Because: "of this"}
	passed, skipped := result.Scenario{ID: "x/one", Status: result.Passed},
		result.Scenario{ID: "x/one", Status: result.Skipped}
	untried := result.Scenario{ID: "x/one", Status: result.Skipped, Untried: true, Reason: "the machine was busy"}
	failed := func(id, reason string, log ...string) result.Scenario {
		return result.Scenario{ID: id, Status: result.Failed, Reason: reason, Log: log}
	}
	for name, c := range map[string]struct {
		mutant  func(*Mutant)
		results []result.Scenario
		status  Status
		by      string
	}{
		"killed":            {nil, []result.Scenario{passed, failed("x/two", "because of this")}, Killed, "x/two"},
		"killed by its log": {nil, []result.Scenario{failed("x/two", "hm", "because of this")}, Killed, "x/two"},
		"another reason":    {nil, []result.Scenario{failed("x/two", "out of memory")}, Survived, ""},
		"another scenario":  {nil, []result.Scenario{passed, failed("y/three", "because of this")}, Survived, ""},
		"all pass":          {nil, []result.Scenario{passed}, Survived, ""},
		"explained":         {func(m *Mutant) { m.Survives = "why" }, []result.Scenario{passed}, Explained, ""},
		"explained and killed": {
			func(m *Mutant) { m.Survives = "why" },
			[]result.Scenario{failed("x/one", "of this")},
			Killed, "x/one",
		},
		"skipped":                {nil, []result.Scenario{skipped}, Broken, ""},
		"not judged":             {nil, []result.Scenario{untried, {ID: "x/two", Status: result.Passed}}, Broken, ""},
		"not judged, and killed": {nil, []result.Scenario{untried, failed("x/two", "of this")}, Killed, "x/two"},
		"nothing ran":            {nil, nil, Broken, ""},
		"server lacks": {func(m *Mutant) { m.Needs = string(scenario.FeatureAuditHTTP) }, []result.Scenario{{
			ID: "x/one", Status: result.Skipped, Reason: scenario.FeatureAuditHTTP.Lack(),
		}}, Skipped, ""},
		"skipped for another reason": {
			func(m *Mutant) { m.Needs = string(scenario.FeatureAuditHTTP) }, []result.Scenario{skipped}, Broken, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := m
			if c.mutant != nil {
				c.mutant(&m)
			}
			o := judge(m, c.results)
			require.Equal(t, c.status, o.Status)
			require.Equal(t, c.by, o.By)
			require.Equal(t, name == "not judged", o.Repeatable())
			require.Equal(t, c.status == Killed || c.status == Explained || c.status == Skipped, o.Sound())
		})
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	require.Equal(t, scenario.None, Mutant{Caught: []string{install}}.pattern())
	selected, err := scenario.Select(scenarios.All(), Mutant{Caught: []string{install, "access/own-secret"}}.pattern())
	require.NoError(t, err)
	require.Len(t, selected, 1)
}

func TestEach(t *testing.T) {
	t.Parallel()
	list := []Mutant{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}}
	var told []string
	both := make(chan struct{}) // closed when two are tried at once
	var once sync.Once
	waiting := make(chan struct{}, 1)
	try := func(_ context.Context, m Mutant) (Outcome, error) {
		select {
		case waiting <- struct{}{}:
			<-both
		default:
			once.Do(func() { close(both) })
		}
		switch m.ID {
		case "b":
			return Outcome{}, errors.New("no such text")
		case "c":
			return Outcome{}, fmt.Errorf("mutant c: %w", exit.Environmentf("node", "", "docker exec: exit status 126"))
		}
		return Outcome{Mutant: m, Status: Killed, By: "x/one", Seconds: 2}, nil
	}
	outcomes, err := Each(t.Context(), list, []Try{try, try}, func(o Outcome) {
		told = append(told, fmt.Sprint(o.Mutant.ID, " ", o.Status, " ", o.Repeatable()))
	})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"a killed false", "b broken false", "c broken true", "d killed false"}, told)
	var order []string
	for _, o := range outcomes {
		order = append(order, o.Mutant.ID)
	}
	require.Equal(t, []string{"a", "b", "c", "d"}, order)
	require.Contains(t, Summary(outcomes), "4 mutants: 2 killed, 0 survived, 0 explained, 2 broken")

	ctx, cancel := context.WithCancel(t.Context())
	outcomes, err = Each(ctx, list, []Try{func(_ context.Context, m Mutant) (Outcome, error) {
		if m.ID == "b" {
			cancel()
		}
		return Outcome{Mutant: m, Status: Killed, By: "x/one"}, nil
	}}, func(Outcome) {})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, outcomes, 1, "what was tried before stands")
}

// TestDraw: a sample is the same for the same seed, and keeps what needs no cluster.
func TestDraw(t *testing.T) {
	t.Parallel()
	list, err := Read(root, scenarios.All())
	require.NoError(t, err)
	drawn, sample := Draw(list, 10, 7)
	again, _ := Draw(list, 10, 7)
	require.Equal(t, drawn, again)
	other, _ := Draw(list, 10, 8)
	require.NotEqual(t, drawn, other)
	local, there := 0, 0
	for _, m := range list {
		if m.Local() {
			local++
		} else {
			there++
		}
	}
	require.Len(t, drawn, local+10)
	require.Equal(t, Sample{Size: 10, Of: there, Seed: 7}, *sample)
	_, sample = Draw(list, 10000, 7)
	require.Equal(t, there, sample.Size)
}

// TestChartsRender renders the chart of each chart mutant: a defect that is not installed shows
// nothing.
func TestChartsRender(t *testing.T) {
	t.Parallel()
	list, err := Read(root, scenarios.All())
	require.NoError(t, err)
	for _, m := range list {
		if m.Kind != Chart || m.static() {
			continue
		}
		t.Run(m.ID, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, m.copyCharts(root, dir))
			for _, name := range []string{"openbao", "postgresql"} {
				_, err := chart.Load(filepath.Join(dir, name))
				require.NoError(t, err, name)
			}
			c, err := chart.Load(filepath.Join(dir, "openbao"))
			require.NoError(t, err)
			values := chart.Merge(map[string]any{"config": map[string]any{"initialize": map[string]any{
				"oidcDiscoveryUrl": "http://gitlab.invalid", "boundAudiences": "http://openbao.invalid",
			}}}, m.Values)
			_, err = c.Render(chart.Rendering{Release: "openbao", Namespace: "steamer"}, values)
			require.NoError(t, err)
		})
	}
}

// TestChecks: a rule of charts check kills a mutant by what the chart as it is does not have, and
// only for the reason that the mutant names.
func TestChecks(t *testing.T) {
	t.Parallel()
	c := &checks{root: root}
	role := []Edit{{File: "openbao/templates/rbac.yaml", Old: "verbs: [get, patch]", New: "verbs: [get, patch, delete]"}}
	for name, m := range map[string]struct {
		Mutant
		status Status
	}{
		"killed":       {Mutant{Edits: role, Rules: []string{"security/rbac"}}, Killed},
		"other reason": {Mutant{Edits: role, Rules: []string{"security/rbac"}, Because: "no such text"}, Survived},
		"other rule":   {Mutant{Edits: role, Rules: []string{"kube/yaml"}}, Survived},
		"explained":    {Mutant{Edits: role, Rules: []string{"kube/yaml"}, Survives: "why"}, Explained},
		"harmless": {Mutant{
			Edits: []Edit{{File: "openbao/values.yaml", Old: "replicaCount: 2", New: "replicaCount: 3"}},
			Rules: []string{"wiring/addresses"},
		}, Survived},
	} {
		o, err := c.try(t.Context(), m.Mutant)
		require.NoError(t, err, name)
		require.Equal(t, m.status, o.Status, "%s: %s", name, o.Reason)
		require.Equal(t, m.status == Killed, o.By == "security/rbac", name)
	}
	_, err := c.try(t.Context(), Mutant{Edits: []Edit{{File: "openbao/values.yaml", Old: "moon", New: "sun"}}})
	require.ErrorContains(t, err, "it has moved on")
}
