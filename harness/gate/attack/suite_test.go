package attack_test

import (
	"bytes"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/history/historytest"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
)

// skip has the first run leave out scenarios by the beginning of their ID, all but the first keep
// of them, in both topologies.
func (d *dossier) skip(prefix string, keep int) {
	for _, place := range d.runs[0].doc.Topologies {
		kept := 0
		for _, s := range place.Scenarios {
			if strings.HasPrefix(s.ID, prefix) && s.Status == result.Passed && s.ID != "lifecycle/install" {
				if kept++; kept > keep {
					d.runs[0].outcome(place.Name, s.ID, result.Skipped, "the chart's dialect knows no values for the change")
				}
			}
		}
	}
}

// suiteAttacks are about scenarios, whether they ran, and whether the run reached its end.
func suiteAttacks() []attack {
	failed := func(d *dossier) { d.runs[0].outcome(inside, "access/own-secret", result.Failed, "got 500") }
	all := []attack{
		{
			rules:  "scenario-failed",
			name:   "a scenario failed",
			want:   result.Fail,
			says:   "access/own-secret: got 500",
			record: failed,
		},
		{
			rules: "scenario-failed", name: "a scenario failed in its second round",
			want: result.Fail, says: "access/own-secret: got 500",
			record: func(d *dossier) {
				place := d.runs[0].place(inside)
				again := slices.Clone(place.Scenarios)
				failed(d)
				place.Scenarios = append(again, d.runs[0].place(inside).Scenarios...)
			},
		},
		{
			rules: "scenario-failed lucky-run", name: "a scenario failed in one run of three",
			want: result.Fail, says: "access/own-secret: got 500",
			world:  func(d *dossier) { d.repeat(2) },
			record: failed,
		},
		{
			rules: "scenario-failed fail-first", name: "a scenario failed in a run that was interrupted",
			want: result.Fail, says: "access/own-secret: got 500",
			record: func(d *dossier) { failed(d); d.runs[0].doc.Run.Partial = true; d.runs[0].place(hybrid).Load = nil },
		},
		{
			rules: "scenario-failed", name: "the chart did not come up", want: result.Fail, says: "lifecycle/install",
			record: func(d *dossier) {
				place := d.runs[0].place(inside)
				place.Scenarios, place.Load = slices.Clone(place.Scenarios[:1]), nil
				d.runs[0].outcome(inside, "lifecycle/install", result.Failed, "pod openbao-0 ends with exit code 1: unknown field")
			},
		},
		{
			rules: "environment", name: "an image could not be pulled", want: result.Inconclusive, says: "image",
			record: func(d *dossier) {
				d.environment("install", "image docker.io/openbao/openbao:2.4.0 could not be pulled: no route to host")
			},
		},
		{
			rules: "environment", name: "the node was under pressure", want: result.Inconclusive, says: "pressure",
			record: func(d *dossier) { d.environment("install", "node steamer-control-plane is under disk pressure") },
		},
		{
			rules: "environment", name: "the node had no room for the pods", want: result.Inconclusive, says: "room",
			record: func(d *dossier) { d.environment("install", "no room on the node: insufficient memory") },
		},
		{
			rules: "whole-suite environment", name: "the environment kept a scenario from its end",
			want: result.Inconclusive, says: "not tried",
			record: func(d *dossier) {
				const id = "lifecycle/config-change-keeps-data"
				d.runs[0].outcome(inside, id, result.Skipped, "the node was under disk pressure")
				place := d.runs[0].place(inside)
				for i := range place.Scenarios {
					place.Scenarios[i].Untried = place.Scenarios[i].ID == id
				}
			},
		},
		{
			rules: "environment", name: "the API server went away", want: result.Inconclusive, says: "connection refused",
			record: func(d *dossier) { d.environment("scenarios", "API server: connection refused") },
		},
		{
			rules: "environment", name: "cleaning up failed", want: result.Inconclusive, says: "clean up",
			record: func(d *dossier) {
				d.runs[0].doc.Steps = append(d.runs[0].doc.Steps, result.Step{Name: "clean up: cluster", Error: "device busy"})
			},
		},
		{
			rules: "complete-run", name: "the run was interrupted", want: result.Inconclusive, says: "did not reach its end",
			record: func(d *dossier) { d.runs[0].doc.Run.Partial = true },
		},
		{
			rules: "both-topologies", name: "only one topology ran",
			want: result.Inconclusive, says: "cloud-native-hybrid: no scenario ran",
			record: func(d *dossier) { d.runs[0].doc.Topologies = d.runs[0].doc.Topologies[:1] },
		},
		{
			rules: "complete-run", name: "no run was handed in", want: result.Inconclusive, says: "no run was given",
			record: func(d *dossier) { d.leave = append(d.leave, "result-0.json") },
		},
		{
			rules: "whole-suite", name: "one scenario was not tried", want: result.Inconclusive, says: "not tried",
			record: func(d *dossier) {
				place := d.runs[0].place(hybrid)
				place.Scenarios = slices.DeleteFunc(
					place.Scenarios,
					func(s result.Scenario) bool { return s.ID == "access/other-project" },
				)
			},
		},
		{
			rules: "whole-suite", name: "all of the suite but one scenario was skipped", want: result.Inconclusive,
			record: func(d *dossier) { d.skip("", 1) },
		},
		{
			rules: "hygiene", name: "a secret was found in a log", want: result.Fail, says: "hygiene/",
			record: func(d *dossier) {
				d.runs[0].outcome(hybrid, "hygiene/no-secret-leaks", result.Failed, "found in the pod's log")
			},
		},
		{
			rules: "hygiene", name: "one scan for secrets of three", want: result.Inconclusive, says: "hygiene",
			record: func(d *dossier) { d.skip("hygiene/", 1) },
		},
		{
			rules: "hygiene", name: "two scans for secrets of three", want: result.Inconclusive, says: "hygiene",
			record: func(d *dossier) { d.skip("hygiene/", 2) },
		},
		{
			rules: "hygiene", name: "no scan for secrets", want: result.Inconclusive, says: "did not pass",
			record: func(d *dossier) { d.skip("hygiene/", 0) },
		},
	}
	for _, group := range []string{"access", "abuse", "audit", "config", "lifecycle", "resilience"} {
		all = append(all, attack{
			rules: "group-floor", name: "every scenario of group " + group + " was skipped",
			want: result.Inconclusive, says: group,
			record: func(d *dossier) { d.skip(group+"/", 0) },
		})
	}
	return all
}

// environment ends the first run's second topology in a step, by what is not the chart's.
func (d *dossier) environment(step, why string) {
	doc := d.runs[0].doc
	place := d.runs[0].place(hybrid)
	place.Load, place.Scenarios = nil, nil
	doc.Run.Partial = true
	doc.Steps = append(doc.Steps, result.Step{Name: step, Topology: hybrid, Error: why})
}

// found adds a finding of a rule to the static checks, as charts check writes it.
func (d *dossier) found(rule string, severity lint.Severity, object, message string) {
	r := d.check
	r.Findings = append(
		slices.Clone(r.Findings),
		lint.Finding{Rule: rule, Severity: severity, Object: object, Message: message},
	)
	switch severity {
	case lint.Error:
		r.Counts.Errors++
	case lint.Warning:
		r.Counts.Warnings++
	case lint.Info:
		r.Counts.Infos++
	}
	r.Passed = r.Counts.Errors == 0 && (!r.Strict || r.Counts.Warnings == 0)
	for i, o := range r.Rules {
		if o.ID == rule && severity != lint.Info {
			r.Rules[i].State = lint.Found
		}
	}
}

// staticAttacks are about the static checks and the mutants.
func staticAttacks() []attack {
	defect := lint.KnownDefects()[0]
	return []attack{
		{
			rules: "charts", name: "the chart renders an object that Kubernetes refuses",
			want: result.Fail, says: "no such field",
			record: func(d *dossier) { d.found("kube/schema", lint.Error, "Deployment/openbao", "no such field") },
		},
		{
			rules: "charts", name: "a warning where warnings fail", want: result.Fail, says: "changes nothing",
			record: func(d *dossier) { d.check.Strict, d.check.Passed = true, false },
		},
		{
			rules: "defects", name: "the chart has a known defect", want: result.Fail, says: defect,
			record: func(d *dossier) { d.found(defect, lint.Error, "Deployment/openbao", "as before") },
		},
		{
			rules: "charts", name: "a rule was skipped", want: result.Inconclusive, says: "was skipped",
			record: func(d *dossier) { d.check.Rules[0].State, d.check.Rules[0].Reason = lint.Skipped, "for now" },
		},
		{
			rules: "defects", name: "nobody looked for a known defect", want: result.Inconclusive, says: defect,
			record: func(d *dossier) {
				d.check.Rules = slices.DeleteFunc(d.check.Rules, func(o lint.Outcome) bool { return o.ID == defect })
			},
		},
		{
			rules: "charts", name: "the chart was not checked", want: result.Inconclusive, says: "no report of charts check",
			record: func(d *dossier) { d.leave = append(d.leave, "charts-check.json") },
		},
		{
			rules: "edited", name: "the report of the checks says that it passed",
			want: refused, says: "does not follow from its findings",
			record: func(d *dossier) { d.found("kube/schema", lint.Error, "", "no such field"); d.check.Passed = true },
		},
		{
			rules: "edited", name: "the report of the checks counts no errors",
			want: refused, says: "does not follow from its findings",
			record: func(d *dossier) {
				d.found("kube/schema", lint.Error, "", "no such field")
				d.check.Counts.Errors, d.check.Passed = 0, true
			},
		},
		{
			rules: "edited", name: "the report of the checks counts fewer warnings than it has",
			want: refused, says: "does not follow from its findings",
			record: func(d *dossier) { d.check.Counts.Warnings-- },
		},
		{
			rules: "mutants", name: "a mutant survived", want: result.Fail, says: "no scenario detected",
			record: func(d *dossier) { d.mutants.Outcomes[0].Status = mutation.Survived },
		},
		{
			rules: "mutants", name: "a mutant could not be tried, and mutants are asked for",
			want: result.Inconclusive, says: "could not be tried",
			record: func(d *dossier) {
				d.mutants.Outcomes[0].Status = mutation.Broken
				d.policy.Required = append(d.policy.Required, gate.Mutants)
			},
		},
		{
			rules: "mutants", name: "no mutant was tried, and mutants are asked for",
			want: result.Inconclusive, says: "no record of mutants",
			record: func(d *dossier) {
				d.leave = append(d.leave, "mutants.json")
				d.policy.Required = append(d.policy.Required, gate.Mutants)
			},
		},
		{
			rules: "faults", name: "a read under faults finds what was overwritten", want: result.Fail, says: "violations",
			record: func(d *dossier) {
				d.histories = []*historytest.History{d.faults("cloud-native"), d.faults("cloud-native-hybrid")}
				historytest.Overwrite(d.histories[1])
			},
		},
		{
			rules: "faults", name: "the run of faults was killed", want: result.Inconclusive, says: "no last line",
			record: func(d *dossier) {
				d.histories = []*historytest.History{d.faults("cloud-native"), d.faults("cloud-native-hybrid")}
				d.histories[0].Incomplete = true
			},
		},
		{
			rules: "faults", name: "one topology was broken, the other not",
			want: result.Inconclusive, says: "no history of faults",
			record: func(d *dossier) { d.histories = append(d.histories, d.faults("cloud-native")) },
		},
		{
			rules: "faults", name: "nothing was broken", want: result.Inconclusive, says: "has no fault",
			record: func(d *dossier) {
				d.histories = []*historytest.History{d.faults("cloud-native"), d.faults("cloud-native-hybrid")}
				d.histories[0].Events = nil
			},
		},
		{
			rules: "edited", name: "a history of faults has other operations", want: refused, says: "history-0",
			record: func(d *dossier) {
				d.histories = []*historytest.History{d.faults("cloud-native"), d.faults("cloud-native-hybrid")}
				d.edits["history-0"] = func(data []byte) []byte {
					return bytes.Replace(data, []byte(" ok v5"), []byte(" ok v4"),
						1)
				}
			},
		},
		{
			rules: "edited", name: "a mutant was killed by nobody", want: refused, says: "by no scenario",
			record: func(d *dossier) { d.mutants.Outcomes[0].By = "" },
		},
		{
			rules: "edited", name: "a mutant has another status", want: refused, says: "unknown status",
			record: func(d *dossier) { d.mutants.Outcomes[0].Status = "fine" },
		},
	}
}
