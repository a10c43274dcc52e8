package lint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/result"
)

func today() time.Time { return time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC) }

func acceptance() lint.Acceptance {
	return lint.Acceptance{Reason: "known upstream", Owner: "team-secrets", Expires: "2027-01-31"}
}

// found is a report of a chart with some findings.
func found(all ...lint.Finding) *lint.Report {
	r := &lint.Report{Chart: result.Chart{Name: "openbao"}, Findings: all}
	_ = r.Accept()
	return r
}

func at(rule, object, path, message string, line int) lint.Finding {
	return lint.Finding{
		Rule: rule, Severity: lint.Error, File: "templates/a.yaml", Line: line, Object: object, Path: path,
		Message: message,
	}
}

// TestOnlyNewFindingsFail accepts a finding, and then changes what is found.
func TestOnlyNewFindingsFail(t *testing.T) {
	t.Parallel()
	known := at("kube/schema", "Pod/a", "spec.x", "no such field, 1 of 3", 7)
	graver := at("kube/schema", "Pod/a", "spec.y", "odd", 7)
	graver.Severity = lint.Warning
	baseline := lint.NewBaseline(found(known, graver, lint.Finding{
		Rule: "kube/schema", Severity: lint.Info,
		Message: "a remark",
	}), acceptance())
	require.Len(t, baseline.Findings, 2, "a remark fails nothing and needs no acceptance")
	change := func(do func(*lint.Finding)) lint.Finding {
		f := known
		do(&f)
		return f
	}
	asError := graver
	asError.Severity = lint.Error
	for name, tc := range map[string]struct {
		now    []lint.Finding
		errors int
		stale  int
	}{
		"the same": {[]lint.Finding{known, graver}, 0, 0},
		"moved":    {[]lint.Finding{change(func(f *lint.Finding) { f.Line = 99 }), graver}, 0, 0},
		"other numbers": {[]lint.Finding{
			change(func(f *lint.Finding) { f.Message = "no such  field, 2 of 4" }),
			graver,
		}, 0, 0},
		"seen in other cases": {
			[]lint.Finding{change(func(f *lint.Finding) { f.Cases = []string{"defaults"} }), graver},
			0,
			0,
		},
		"another rule":        {[]lint.Finding{change(func(f *lint.Finding) { f.Rule = "kube/labels" }), graver}, 1, 1},
		"another object":      {[]lint.Finding{change(func(f *lint.Finding) { f.Object = "Pod/b" }), graver}, 1, 1},
		"another place":       {[]lint.Finding{change(func(f *lint.Finding) { f.Path = "spec.z" }), graver}, 1, 1},
		"another fault there": {[]lint.Finding{change(func(f *lint.Finding) { f.Message = "privileged" }), graver}, 1, 1},
		"one more like it": {[]lint.Finding{
			known, change(func(f *lint.Finding) { f.Message = "no such field, 9 of 9" }),
			graver,
		}, 1, 0},
		"graver than before": {[]lint.Finding{known, asError}, 1, 1},
		"fixed":              {nil, 0, 2},
	} {
		r := found(tc.now...)
		require.NoError(t, r.Accept(baseline), name)
		require.Equal(t, tc.errors, r.Counts.Errors, name)
		require.Equal(t, tc.errors == 0, r.Passed, name)
		require.Len(t, r.Stale, tc.stale, name)
	}
	r := found(known)
	require.NoError(t, r.Accept(baseline))
	require.NoError(t, r.Accept())
	require.False(t, r.Passed, "what was accepted before is not, without its baseline")
	require.Equal(t, exit.Invalid, exit.CodeOf(found().Accept(&lint.Baseline{Chart: "other"})))
}

func TestBaselineIsRefused(t *testing.T) {
	t.Parallel()
	const whole = "apiVersion: steamer/v1\nkind: Baseline\nchart: openbao\nfindings:\n- {rule: kube/schema, severity: " +
		"error, message: no such field, reason: r, owner: o, expires: 2026-11-29}\n"
	_, err := lint.ParseBaseline("b.yaml", []byte(whole), today())
	require.NoError(t, err, "it holds to the end of its last day")
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"expired":         {"2026-11-29", "2026-11-28", "it expired on 2026-11-28 (owner o)"},
		"for ever":        {"2026-11-29", "9999-12-31", "more than a year away"},
		"no date":         {"2026-11-29", "soon", `expires "soon" is not a date`},
		"no expiry":       {", expires: 2026-11-29", "", `expires "" is not a date`},
		"unknown rule":    {"kube/schema", "kube/nothing", "there is no such rule"},
		"no reason":       {"reason: r", "reason: ' '", "it has no reason"},
		"no owner":        {", owner: o", "", "it has no owner"},
		"remark":          {"severity: error", "severity: info", `severity "info"`},
		"no message":      {"message: no such field, ", "", "it has no message"},
		"negative":        {"reason: r", "reason: r, count: -1", "negative"},
		"unknown field":   {"reason: r", "reason: r, line: 3", "line"},
		"no chart":        {"chart: openbao\n", "", "names no chart"},
		"something else":  {"kind: Baseline", "kind: Quarantine", `kind "Quarantine"`},
		"another version": {"steamer/v1", "steamer/v9", `apiVersion "steamer/v9"`},
		"twice": {
			"findings:\n", "findings:\n- {rule: kube/schema, severity: error, message: no such field, reason: r, owner: o, " +
				"expires: 2026-11-29}\n",
			"it stands twice",
		},
		"no YAML": {"apiVersion", "\t{", "b.yaml"},
	} {
		_, err := lint.ParseBaseline("b.yaml", []byte(strings.Replace(whole, tc.old, tc.replacement, 1)), today())
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
		require.ErrorContains(t, err, tc.want, name)
	}
}

func TestBaselineIsWrittenAndKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "accepted.yaml")
	first := lint.NewBaseline(found(at("kube/schema", "Pod/a", "x", "odd 1", 1), at("kube/schema", "Pod/a", "x", "odd 2",
		2)), acceptance())
	require.Equal(t, 2, first.Findings[0].Count)
	require.NoError(t, first.Write(path, false))
	require.Equal(t, exit.Invalid, exit.CodeOf(first.Write(path, false)), "nothing is overwritten by mistake")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	again, err := lint.ParseBaseline(path, data, today())
	require.NoError(t, err)
	require.Equal(t, first, again)

	r := found(at("kube/schema", "Pod/a", "x", "odd 3", 3), at("helm/labels", "Pod/new", "", "new", 1))
	require.NoError(t, r.Accept(again))
	later := acceptance()
	later.Owner = "somebody else"
	next := lint.NewBaseline(r, later)
	require.NoError(t, next.Write(path, true))
	owners := map[string]string{}
	for _, a := range next.Findings {
		owners[a.Object] = a.Owner
	}
	require.Equal(t, map[string]string{"Pod/a": "team-secrets", "Pod/new": "somebody else"}, owners,
		"what was accepted keeps its owner")
}

// FuzzParseBaseline reads anything: a baseline comes back as it was, or a clear error.
func FuzzParseBaseline(f *testing.F) {
	f.Add([]byte("apiVersion: steamer/v1\nkind: Baseline\nchart: a\nfindings: []\n"))
	f.Add([]byte("findings: [{rule: kube/schema, expires: 2026-13-40}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := lint.ParseBaseline("fuzz", data, today())
		if err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			return
		}
		for _, a := range b.Findings {
			require.NoError(t, a.Check(today()))
		}
	})
}
