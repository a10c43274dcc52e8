package gate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes/fake"

	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/result"
	suites "gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

// can is an installer that knows a dialect's changes, but for those whose key the chart's values
// lack.
type can struct {
	suites.Installer
	dialect *topology.Dialect
	lacks   []string
}

func (c can) Knows(change string) bool {
	known, ok := c.dialect.Changes[change]
	for _, key := range c.lacks {
		ok = ok && known.Needs != key
	}
	return ok
}

// environment is one of a dialect's, on a cluster that admits no signals, with an OpenBao before
// 2.5 and no previous release: what is skipped in it is skipped for reasons that are declared.
func environment(t *testing.T, dialect string, lacks ...string) *suites.Env {
	t.Helper()
	d, err := topology.DialectNamed(dialect)
	require.NoError(t, err)
	return &suites.Env{
		Topology: topology.CloudNative, Kube: fake.NewClientset(), Issuer: &gitlab.Issuer{}, Installer: can{nil, d, lacks},
		Unseal: d.UnsealKey, Metrics: d.MetricsPort,
		Database: struct{ suites.Database }{}, Processes: struct{ suites.Processes }{}, GitLab: struct{ suites.GitLab }{},
	}
}

func suite() []string {
	var ids []string
	for _, s := range scenarios.All() {
		ids = append(ids, s.ID)
	}
	return ids
}

func subjects() map[string]result.Subject {
	out := map[string]result.Subject{}
	for _, s := range scenarios.All() {
		out[s.ID] = s.Subject
	}
	return out
}

// outcomes is the suite's in an environment in which everything passes that can run, after a
// change.
func outcomes(env *suites.Env, change func(*result.Scenario)) []any {
	var out []any
	for _, s := range scenarios.All() {
		r := result.Scenario{ID: s.ID, Status: result.Passed}
		if why := env.Skip(s); why != "" {
			r.Status, r.Reason = result.Skipped, why
		}
		if change != nil {
			change(&r)
		}
		out = append(out, map[string]any{
			"id": r.ID, "title": "t", "protects": "p", "seconds": 0, "status": string(r.Status),
			"reason": r.Reason,
		})
	}
	return out
}

// functional is the criterion's verdict, and that of hygiene, on outcomes that both topologies
// have.
func functional(t *testing.T, list []any) (suiteVerdict, hygiene result.Verdict, reasons string) {
	t.Helper()
	return functionalIn(t, map[string][]any{topology.CloudNative: list, topology.CloudNativeHybrid: list})
}

// functionalIn is functional on the outcomes of each topology.
func functionalIn(t *testing.T, lists map[string][]any) (suiteVerdict, hygiene result.Verdict, reasons string) {
	t.Helper()
	run := changed(t, runFile, each(func(top map[string]any) { top["scenarios"] = lists[top["name"].(string)] }))
	evidence, err := gate.Read(run, checkFile)
	require.NoError(t, err)
	p := policy(t)
	p.Suite, p.Subjects = suite(), subjects()
	d, err := gate.Decide(evidence, p)
	require.NoError(t, err)
	for _, c := range d.Criteria {
		switch c.ID {
		case "functional":
			suiteVerdict, reasons = c.Verdict, reasons+strings.Join(c.Reasons, "\n")
		case "hygiene":
			hygiene, reasons = c.Verdict, reasons+strings.Join(c.Reasons, "\n")
		}
	}
	return suiteVerdict, hygiene, reasons
}

// TestFloorsLetShippedDialectsThrough runs what applies to each chart that Steamer knows. The keys
// are those that GitLab's chart 0.12.3 lacks.
func TestFloorsLetShippedDialectsThrough(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]*suites.Env{
		"charts/openbao": environment(t, "gitlab"),
		"GitLab's chart 0.12.3": environment(t, "gitlab",
			"strategy", "config.unseal.static.currentKeySecret", "prometheusRule", "config.audit.http.secret",
			"podDisruptionBudget"),
		"the community chart": environment(t, "community"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suiteVerdict, hygiene, reasons := functional(t, outcomes(env, nil))
			require.Equal(t, result.Pass, suiteVerdict, reasons)
			require.Equal(t, result.Pass, hygiene, reasons)
		})
	}
}

// TestSkipsAreCounted takes scenarios out of a suite that passed, one group at a time: none may be
// missing as a whole, and none of those that need nothing which a chart may lack.
func TestSkipsAreCounted(t *testing.T) {
	t.Parallel()
	env := environment(t, "gitlab")
	sizes := map[string]int{}
	for _, id := range suite() {
		g, _, _ := strings.Cut(id, "/")
		sizes[g]++
	}
	for g := range sizes {
		t.Run(g, func(t *testing.T) {
			t.Parallel()
			suiteVerdict, hygiene, reasons := functional(t, outcomes(env, func(r *result.Scenario) {
				if strings.HasPrefix(r.ID, g+"/") {
					r.Status, r.Reason = result.Skipped, "for now"
				}
			}))
			switch g {
			case "stack":
				require.Equal(t, result.Pass, suiteVerdict, reasons)
			case "hygiene":
				require.Equal(t, result.Inconclusive, hygiene)
			default:
				require.Equal(t, result.Inconclusive, suiteVerdict)
				require.Contains(t, reasons, "scenarios of "+g+" passed, and ")
				require.Contains(t, reasons, "was skipped: for now")
			}
		})
	}
	for name, change := range map[string]func(*result.Scenario){
		"one passed": func(r *result.Scenario) {
			if r.ID != "access/own-secret" {
				r.Status, r.Reason = result.Skipped, "for now"
			}
		},
		"one of access": func(r *result.Scenario) {
			if r.ID == "access/own-secret" {
				r.Status, r.Reason = result.Skipped, "for now"
			}
		},
		"one interrupted": func(r *result.Scenario) {
			if r.ID == "lifecycle/rollback" {
				r.Status, r.Reason = result.Skipped, suites.Interrupted
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verdict, _, reasons := functional(t, outcomes(env, change))
			require.Equal(t, result.Inconclusive, verdict, reasons)
		})
	}
	t.Run("server in one topology", func(t *testing.T) { // the other says where it ran
		t.Parallel()
		verdict, _, reasons := functionalIn(t, map[string][]any{
			topology.CloudNative: outcomes(env, nil),
			topology.CloudNativeHybrid: outcomes(env, func(r *result.Scenario) {
				if subjects()[r.ID] == result.SubjectServer {
					r.Status, r.Reason = result.Skipped, result.Elsewhere+topology.CloudNative
				}
			}),
		})
		require.Equal(t, result.Pass, verdict, reasons)
	})
	t.Run("server nowhere, whatever the record says", func(t *testing.T) {
		t.Parallel()
		verdict, _, reasons := functional(t, outcomes(env, func(r *result.Scenario) {
			if subjects()[r.ID] == result.SubjectServer {
				r.Status, r.Reason = result.Skipped, result.Elsewhere+topology.CloudNative
			}
		}))
		require.Equal(t, result.Inconclusive, verdict)
		require.Contains(t, reasons, "scenarios of access passed, and ")
	})
	t.Run("one failure of the server", func(t *testing.T) {
		t.Parallel()
		verdict, _, reasons := functional(t, outcomes(env, func(r *result.Scenario) {
			if r.ID == "access/own-secret" {
				r.Status, r.Reason = result.Failed, "wrong value"
			}
		}))
		require.Equal(t, result.Fail, verdict)
		require.Contains(t, reasons, "access/own-secret: wrong value")
	})
	t.Run("one scan", func(t *testing.T) {
		t.Parallel()
		_, hygiene, reasons := functional(t, outcomes(env, func(r *result.Scenario) {
			if r.ID == "hygiene/no-secret-leaks" {
				r.Status, r.Reason = result.Skipped, "for now"
			}
		}))
		require.Equal(t, result.Inconclusive, hygiene)
		require.Contains(t, reasons, "the scan hygiene/no-secret-leaks did not pass")
	})
}

// TestFloorsFollowFromNeeds holds the floors against what scenarios need: what needs nothing that
// a chart, its OpenBao or a cluster may lack by declaration has to pass.
func TestFloorsFollowFromNeeds(t *testing.T) {
	t.Parallel()
	may := map[suites.Feature]bool{
		suites.FeatureUnsealKey: true, suites.FeatureMetrics: true, suites.FeatureAuditHTTP: true, suites.FeatureStack: true,
		suites.FeaturePrevious: true, suites.FeatureSignals: true,
	}
	type part struct {
		subject result.Subject
		group   string
	}
	size, firm := map[part]int{}, map[part]int{}
	for _, s := range scenarios.All() {
		name, _, _ := strings.Cut(s.ID, "/")
		g := part{s.Subject, name}
		size[g]++
		optional := len(s.Topologies) > 0
		for _, f := range s.Features {
			optional = optional || may[f] || strings.HasPrefix(string(f), "change:")
		}
		if !optional {
			firm[g]++
		}
	}
	for g, n := range size {
		if g.group == "hygiene" { // its own criterion asks for all
			continue
		}
		require.GreaterOrEqual(t, gate.Floor(g.subject, g.group, n), firm[g],
			"%s: so many scenarios need nothing that may be missing", g)
	}
	require.Equal(t, 1, gate.Floor(result.SubjectChart, "a-new-group", 3))
}
