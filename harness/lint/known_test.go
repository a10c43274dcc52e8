package lint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/result"
)

const knownFailure = "apiVersion: steamer/v1\nkind: Baseline\nchart: openbao\nfindings: []\nscenarios:\n" +
	"- {id: config/one-lock, says: 'does not contain 10.0.0.1', reason: r, owner: o, expires: 2026-11-29}\n"

// TestKnownFailuresAreTold holds failures of scenarios against an entry.
func TestKnownFailuresAreTold(t *testing.T) {
	t.Parallel()
	b, err := lint.ParseBaseline("b.yaml", []byte(knownFailure), today())
	require.NoError(t, err)
	failed := result.Scenario{
		ID: "config/one-lock", Status: result.Failed, Reason: "http://[::]:8200 does not\n  contain 10.244.0.16, at 9 s",
	}
	change := func(do func(*result.Scenario)) result.Scenario {
		s := failed
		do(&s)
		return s
	}
	for name, tc := range map[string]struct {
		s        result.Scenario
		topology string // of the entry
		want     bool
	}{
		"the same, with other numbers": {failed, "", true},
		"on its topology":              {failed, "here", true},
		"on another topology":          {failed, "there", false},
		"another scenario":             {change(func(s *result.Scenario) { s.ID = "config/one-lockbox" }), "", false},
		"another failure":              {change(func(s *result.Scenario) { s.Reason = "no leader" }), "", false},
		"no failure":                   {change(func(s *result.Scenario) { s.Status = result.Skipped }), "", false},
	} {
		b.Scenarios[0].Topology = tc.topology
		require.Equal(t, tc.want, b.Failure("here", tc.s) != nil, name)
	}
}

func TestKnownFailuresAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"who reads what":       {"config/one-lock", "access/own-secret", "group access cannot be accepted"},
		"what is refused":      {"config/one-lock", "abuse/no-token", "group abuse cannot be accepted"},
		"secrets in logs":      {"config/one-lock", "hygiene/no-secret-leaks", "group hygiene cannot be accepted"},
		"no scenario":          {"config/one-lock", "config", "form group/name"},
		"no text":              {"does not contain 10.0.0.1", "", "it could stand in any failure"},
		"numbers are no text":  {"does not contain 10.0.0.1", "10000.20000.300000.4000000", "it could stand in any failure"},
		"expired":              {"2026-11-29", "2026-11-28", "it expired on 2026-11-28 (owner o)"},
		"no owner":             {", owner: o", "", "it has no owner"},
		"twice":                {"- {id", strings.SplitAfter(knownFailure, "scenarios:\n")[1] + "- {id", "it stands twice"},
		"a field of a finding": {"reason: r", "reason: r, rule: kube/schema", "rule"},
	} {
		_, err := lint.ParseBaseline("b.yaml", []byte(strings.Replace(knownFailure, tc.old, tc.replacement, 1)), today())
		require.ErrorContains(t, err, tc.want, name)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
	}
}
