package protocol

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/result"
)

// tryOn runs rows on a fake server.
func tryOn(t *testing.T, f *fake, only ...string) *Report {
	t.Helper()
	protocols, err := Read()
	require.NoError(t, err)
	o := Options{Protocols: protocols, Only: only, Parallel: 3, Seed: 1, Progress: func(string) {}}
	require.NoError(t, o.Validate())
	report, err := run(t.Context(), o, func(context.Context) (backend, error) { return f, nil })
	require.NoError(t, err)
	return report
}

func rowOf(t *testing.T, r *Report, id string) Row {
	t.Helper()
	i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.ID() == id })
	require.GreaterOrEqual(t, i, 0, "no row %s", id)
	return r.Rows[i]
}

// TestTable tries everything on a fake server: the documented sequences get stuck where they are
// known to, and the repaired ones nowhere.
func TestTable(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	r := tryOn(t, f)
	require.Equal(t, result.Fail, r.Verdict, "%v", r.Reasons)
	require.Len(t, r.Rows, r.Planned)
	require.Positive(t, f.kills)
	for _, row := range r.Rows {
		require.NotEqual(t, NotJudged, row.Outcome, "%s: %s", row.ID(), row.Reason)
		require.Equal(t, row.Number > 0, row.Receipt != "", row.ID())
		if row.Number == 0 || row.Protocol == "repaired" {
			require.Equal(t, Converged, row.Outcome, "%s: %v", row.ID(), row.Story())
		}
	}
	for id, want := range map[string]string{
		"gitlab/create/2-read-metadata/request-lost":                       Converged,
		"gitlab/create/3-write-value/request-lost":                         Converged,
		"gitlab/create/3-write-value/answer-lost":                          lockedOut,
		"gitlab/delete/2-delete-value-and-metadata/request-lost":           Converged,
		"gitlab/delete/2-delete-value-and-metadata/answer-lost":            leftOver,
		"gitlab/delete-create/2-delete-value-and-metadata/answer-lost":     exposed,
		"gitlab/delete-create/5-remove-from-policy/request-lost":           exposed,
		"gitlab/delete-create/5-remove-from-policy/answer-lost":            Converged,
		"gitlab/narrow-environment/2-write-metadata/answer-lost":           exposed,
		"gitlab/narrow-environment/2-write-metadata/request-lost":          Converged,
		"gitlab/overlap-delete/5-remove-from-policy/stall":                 lockedOut,
		"gitlab/overlap-create/6-add-to-policy/stall":                      exposed,
		"gitlab/permit-less/3-delete-API-policy/answer-lost":               Converged,
		"gitlab/deprovision/1-delete-project-namespace/answer-lost":        Converged,
		"repaired/narrow-environment/4-remove-from-old-policy/answer-lost": Converged,
	} {
		require.Equal(t, want, rowOf(t, r, id).Outcome, "%s: %v", id, rowOf(t, r, id).Wrong)
	}
	claims := map[string]string{}
	for _, part := range r.Parts {
		for _, c := range part.Claims {
			claims[part.ID+" "+c.ID] = c.Result
		}
	}
	require.Equal(t, map[string]string{
		"gitlab P1": demonstrated, "gitlab P2": demonstrated, "gitlab P3": demonstrated, "gitlab P4": demonstrated,
		"gitlab P7":   demonstrated,
		"repaired P1": refuted, "repaired P2": refuted, "repaired P3": refuted, "repaired P4": refuted,
	}, claims)
	for _, row := range r.Smallest {
		require.NotEmpty(t, row.Story(), row.ID())
	}
}

// TestPass: what gets stuck nowhere passes, and a claim about rows that were left out is
// undecided.
func TestPass(t *testing.T) {
	t.Parallel()
	r := tryOn(t, newFake(t), "gitlab/update-value", "gitlab/delete-create/*/request-lost",
		"-gitlab/delete-create/[2-9]-*")
	require.Equal(t, result.Pass, r.Verdict, "%v", r.Reasons)
	require.Len(t, r.Rows, 1+6*4+1+1)
	require.Equal(t, undecided, r.Parts[0].Claims[0].Result)
}

// TestLosingServer: a server that loses a request by itself is not mistaken for the fault, nor for
// a sequence that gets stuck.
func TestLosingServer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	deletes := 0
	f.lose = func(method, path string) bool {
		if method == "DELETE" && strings.Contains(path, "/metadata/explicit/") {
			deletes++
		}
		return deletes == 2 && method == "DELETE"
	}
	r := tryOn(t, f, "gitlab/delete/2-*/answer-lost")
	require.Equal(t, result.Inconclusive, r.Verdict, "%v", r.Reasons)
	row := rowOf(t, r, "gitlab/delete/2-delete-value-and-metadata/answer-lost")
	require.Equal(t, NotJudged, row.Outcome)
	require.Contains(t, row.Reason, "did not take effect")

	f = newFake(t)
	f.lose = func(method, path string) bool {
		return method == "GET" && strings.Contains(path, "/policies/acl/pipelines")
	}
	r = tryOn(t, f, "gitlab/create")
	require.Equal(t, result.Inconclusive, r.Verdict)
	require.Len(t, r.Rows, 1, "a case that fails without a fault is not disturbed")
	require.Contains(t, r.Rows[0].Reason, "without a fault")
}

// TestServerLost: a server that does not start again is reported as what it is.
func TestServerLost(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.gone = true
	r := tryOn(t, f, "gitlab/deprovision/1-*/leader-killed")
	require.Equal(t, result.Fail, r.Verdict)
	require.Equal(t, serverLost, r.Rows[1].Outcome)
	require.Contains(t, strings.Join(r.Reasons, " "), "1 server-lost")
}

// TestInterrupt: an interrupted run keeps its rows, and is no PASS.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	protocols, err := Read()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(t)
	f.lose = func(method, _ string) bool {
		if method == "DELETE" {
			cancel()
		}
		return false
	}
	r, err := run(ctx, Options{
		Protocols: protocols, Only: []string{"gitlab/update-value", "gitlab/delete"}, Parallel: 1, Progress: func(string) {},
	}, func(context.Context) (backend, error) { return f, nil })
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, r.Partial)
	require.Equal(t, result.Inconclusive, r.Verdict)
	require.Len(t, r.Rows, 1)
}

// TestModel: what may be read is what was asked for last.
func TestModel(t *testing.T) {
	t.Parallel()
	m := newModel()
	job := func(environment, branch string) int {
		return m.expect(reader{environment: environment, branch: branch}, "X")
	}
	m.ask(create, Request{Secret: "X", Environment: "production", Branch: gitlab.Any, Value: 1})
	require.Equal(t, nothing, job("production", "main"), "the project is not enabled")
	m.ask(provision, Request{})
	require.Equal(t, []int{1, 1, 0, 0}, []int{
		job("production", "main"), job("production", "x"), job("staging", "main"),
		job("", "main"),
	})
	m.ask(update, Request{Secret: "X", Branch: "main"})
	require.Equal(t, []int{1, 0}, []int{job("production", "main"), job("production", "x")})
	m.ask(update, Request{Secret: "X", Environment: gitlab.Any, Value: 3})
	require.Equal(t, []int{3, 3, 0}, []int{job("production", "main"), job("", "main"), job("", "x")})
	user := func(values bool) int { return m.expect(reader{user: 7, values: values}, "X") }
	require.Equal(t, nothing, user(true))
	m.ask(permit, Request{User: 7, Actions: []string{"read_value"}})
	require.Equal(t, []int{0, 3}, []int{user(false), user(true)})
	other := m.clone()
	m.ask(forbid, Request{User: 7})
	m.ask(remove, Request{Secret: "X"})
	require.Equal(t, nothing, job("", "main"))
	require.Equal(t, 3, other.expect(reader{user: 7, values: true}, "X"), "a clone is its own")
	other.ask(deprovision, Request{})
	other.ask(provision, Request{})
	require.Equal(t, nothing, other.expect(reader{environment: "production", branch: "main"}, "X"))
	require.Len(t, m.readers(), 8)
}

// TestJudge: each way in which a read can be wrong has its outcome.
func TestJudge(t *testing.T) {
	t.Parallel()
	m := newModel()
	m.ask(provision, Request{})
	m.ask(create, Request{Secret: "X", Environment: "production", Branch: gitlab.Any, Value: 2})
	m.ask(remove, Request{Secret: "Y"})
	in, out := reader{environment: "production", branch: "main"}, reader{environment: "staging", branch: "main"}
	for want, list := range map[string][]observation{
		Converged: {{in, "X", got{2, true}}, {out, "X", got{}}, {in, "Y", got{}}, {reader{user: 7}, "Y", got{0, true}}},
		lockedOut: {{in, "X", got{}}, {in, "X", got{0, true}}},
		stale:     {{in, "X", got{1, true}}, {in, "X", got{unnamed, true}}},
		exposed: {
			{out, "X", got{2, true}},
			{out, "X", got{1, true}},
			{in, "Y", got{1, true}},
			{reader{user: 7}, "X", got{seen, true}},
		},
		leftOver: {{in, "Y", got{0, true}}, {out, "X", got{0, true}}},
	} {
		for _, o := range list {
			outcome, wrong := m.judge([]observation{o})
			require.Equal(t, want, outcome, "%+v", o)
			require.Equal(t, want != Converged, len(wrong) == 1)
		}
	}
	outcome, wrong := m.judge([]observation{{in, "X", got{}}, {out, "X", got{2, true}}, {in, "Y", got{0, true}}})
	require.Equal(t, exposed, outcome, "the worst counts")
	require.Len(t, wrong, 3)
}

// TestReadRefuses: a bad protocol is refused with its place.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const good = `
apiVersion: steamer/v1
kind: Protocol
id: mine
title: t
source: s
base: gitlab
operations:
  - {id: delete, asks: delete, title: t, source: s, retries: 1, retriedBy: me,
     steps: [{name: a, method: DELETE, path: x}]}
`
	path := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(path, []byte(good), 0o600))
	list, err := Read(path)
	require.NoError(t, err)
	mine := list[len(list)-1]
	require.Equal(t, []string{"delete", "delete-shared", "delete-create", "overlap-delete"}, ids(mine),
		"only what the changed operation takes part in")
	for name, change := range map[string][2]string{
		"twice":     {"id: mine", "id: gitlab"},
		"base":      {"base: gitlab", "base: repaired"},
		"effect":    {"asks: delete", "asks: destroy"},
		"method":    {"method: DELETE", "method: LIST"},
		"template":  {"path: x", "path: '${.Nope'"},
		"function":  {"path: x", "path: '${nope .V}'"},
		"source":    {"title: t, source: s", "title: t, source: ''"},
		"retries":   {"retries: 1", "retries: 99"},
		"unknown":   {"path: x", "path: x, body2: {}"},
		"version":   {"steamer/v1", "steamer/v9"},
		"no-method": {"method: DELETE, path: x", "path: x"},
		"fault":     {"operations:", "cases: [{id: c, title: t, faults: [flood], do: {op: delete, secret: X}}]\noperations:"},
		"op":        {"operations:", "cases: [{id: c, title: t, do: {op: nope}}]\noperations:"},
		"name":      {"operations:", "cases: [{id: c, title: t, do: {op: delete, secret: '../X'}}]\noperations:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, 1, strings.Count(good, change[0]), change[0])
			path := filepath.Join(t.TempDir(), "bad.yaml")
			require.NoError(t, os.WriteFile(path, []byte(strings.Replace(good, change[0], change[1], 1)), 0o600))
			_, err := Read(path)
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
		})
	}
}

func ids(p *Protocol) []string {
	var list []string
	for _, c := range p.Cases {
		list = append(list, c.ID)
	}
	return list
}

// TestOnly: patterns choose rows, and those that can match none are refused.
func TestOnly(t *testing.T) {
	t.Parallel()
	protocols, err := Read()
	require.NoError(t, err)
	for pattern, want := range map[string]map[string]bool{
		"gitlab":            {"gitlab/create/3-write-value/stall": true, "repaired/create/3-write-value/stall": false},
		"*/delete*":         {"gitlab/delete-create/1-x/stall": true, "gitlab/create/1-x/stall": false},
		"*/*/*/stall":       {"gitlab/create/1-x/stall": true, "gitlab/create/1-x/answer-lost": false, "gitlab/create": true},
		"-gitlab":           {"gitlab/create/1-x/stall": false, "repaired/create/1-x/stall": true},
		"-*/*/*/stall":      {"gitlab/create": true, "gitlab/create/1-x/stall": false, "gitlab/create/1-x/answer-lost": true},
		"gitlab,-*/create":  {"gitlab/create": false, "gitlab/delete": true, "repaired/delete": false},
		"gitlab/create/3-*": {"gitlab/create/3-write-value/stall": true, "gitlab/create/2-x/stall": false},
	} {
		o := Options{Protocols: protocols, Only: strings.Split(pattern, ","), Parallel: 1}
		require.NoError(t, o.Validate(), pattern)
		for _, id := range slices.Sorted(maps.Keys(want)) {
			require.Equal(t, want[id], o.wants(id), "%s: %s", pattern, id)
		}
	}
	for _, bad := range []string{"nope", "gitlab/nope", "*/*/*/flood", "a/b/c/d/e", "[", "gitlab,-gitlab,-repaired"} {
		o := Options{Protocols: protocols, Only: strings.Split(bad, ","), Parallel: 1}
		require.Equal(t, exit.Invalid, exit.CodeOf(o.Validate()), bad)
	}
	require.Equal(t, exit.Invalid, exit.CodeOf((&Options{Protocols: protocols}).Validate()), "--parallel 0")
}
