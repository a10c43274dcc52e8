package scenario_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func TestValidateAndSelect(t *testing.T) {
	t.Parallel()
	ok := func(context.Context, scenario.T, *scenario.Env) {}
	require.NoError(t, scenario.Validate([]scenario.Scenario{sc("a/b", true, ok), sc("a/b-c", false, ok)}))
	for want, s := range map[string]scenario.Scenario{
		"group/name": sc("ab", false, ok),
		"test must":  sc("a/b", false, nil),
		"twice":      sc("a/a", false, ok),
		"disturbs": {
			ID: "a/b", Subject: scenario.SubjectChart, Title: "t", Protects: "p", Source: "s", Budget: 1, Kind: scenario.Fault,
			Parallel: true,
			Test:     ok,
		},
		"unknown feature": {
			ID: "a/b", Subject: scenario.SubjectChart, Title: "t", Protects: "p", Source: "s", Budget: 1, Kind: scenario.Fault,
			Test:     ok,
			Features: []scenario.Feature{"odd"},
		},
		"budget": {
			ID: "a/b", Subject: scenario.SubjectChart, Title: "t", Protects: "p", Source: "s", Kind: scenario.Fault,
			Test: ok,
		},
		"subject": {ID: "a/b", Title: "t", Protects: "p", Source: "s", Budget: 1, Kind: scenario.Fault, Test: ok},
		"kind": {
			ID: "a/b", Subject: scenario.SubjectChart, Title: "t", Protects: "p", Source: "s", Budget: 1, Kind: "odd",
			Test: ok,
		},
	} {
		require.ErrorContains(t, scenario.Validate([]scenario.Scenario{sc("a/a", false, ok), s}), want)
	}
	list := []scenario.Scenario{sc("access/x", true, ok), sc("abuse/x", true, ok)}
	list[0].Core = true
	for pattern, want := range map[string][]string{
		"^abuse/": {"abuse/x"}, scenario.Core: {"access/x"}, scenario.All: {"access/x", "abuse/x"}, scenario.None: nil,
	} {
		got, err := scenario.Select(list, pattern)
		require.NoError(t, err)
		var ids []string
		for _, s := range got {
			ids = append(ids, s.ID)
		}
		require.Equal(t, want, ids, pattern)
	}
	for _, bad := range []string{"nothing", "("} {
		_, err := scenario.Select(list, bad)
		require.Error(t, err)
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	list := []scenario.Scenario{sc("a/chart", true, nil), sc("a/server", true, nil)}
	list[1].Subject = scenario.SubjectServer
	for subject, want := range map[result.Subject]int{"": 2, scenario.SubjectServer: 1, scenario.SubjectGitLab: 0} {
		got, err := scenario.Of(list, subject)
		require.NoError(t, err)
		require.Len(t, got, want, subject)
	}
	_, err := scenario.Of(list, "moon")
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}

// TestTable fills in what rows leave out, and nothing else.
func TestTable(t *testing.T) {
	t.Parallel()
	common := scenario.Scenario{
		Subject: scenario.SubjectServer, Protects: "p", Source: "s", Topologies: []string{"cloud-native"},
		Features: []scenario.Feature{scenario.FeatureCluster},
		Rights:   []scenario.Right{{Resource: "pods"}}, Kind: scenario.Abuse, Budget: time.Minute, Parallel: true,
	}
	own := scenario.Scenario{
		ID: "a/own", Subject: scenario.SubjectChart, Title: "t", Protects: "p2", Source: "s2",
		Topologies: []string{"cloud-native-hybrid"},
		Features:   []scenario.Feature{scenario.FeatureExec}, Rights: []scenario.Right{{Resource: "secrets"}},
		Kind: scenario.Functional, Core: true, Budget: time.Second, Parallel: true,
	}
	all := scenario.Table(common, scenario.Row("a/b", "t", nil), own)
	want := common
	want.ID, want.Title = "a/b", "t"
	require.Equal(t, []scenario.Scenario{want, own}, all)
	about := scenario.About(scenario.SubjectChart, scenario.Row("a/b", "t", nil))
	require.Equal(t, scenario.SubjectChart, scenario.Table(common, about)[0].Subject, "a row's own subject stays")
	require.Equal(t, []scenario.Right{{Verbs: "create", Resource: "pods/exec"}}, all[1].Needs()[1:])
}
