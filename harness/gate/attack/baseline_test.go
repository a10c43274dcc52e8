package attack_test

import (
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// broken gives the chart two errors and a warning.
func (d *dossier) broken() {
	d.found("kube/schema", lint.Error, "Deployment/openbao", "spec.replica: no such field")
	d.found("kube/schema", lint.Error, "Service/openbao", "spec.port: no such field")
	d.found("values/dead", lint.Warning, "", "changes nothing")
}

// accept makes a baseline of all that the checks find, for a month.
func (d *dossier) accept() {
	d.baseline = lint.NewBaseline(d.check, taken())
}

func taken() lint.Acceptance {
	return lint.Acceptance{
		Reason: "it is GitLab's chart", Owner: "release managers",
		Expires: time.Now().UTC().AddDate(0, 1, 0).Format(time.DateOnly),
	}
}

// baselineAttacks are about findings that somebody has accepted.
func baselineAttacks() []attack {
	// entry changes the first entry of a baseline that accepts everything.
	entry := func(change func(*lint.Accepted)) func(*dossier) {
		return func(d *dossier) {
			d.broken()
			d.accept()
			change(&d.baseline.Findings[0])
		}
	}
	on := func(day time.Time) func(*lint.Accepted) {
		return func(a *lint.Accepted) { a.Expires = day.Format(time.DateOnly) }
	}
	return []attack{
		{
			rules: "baseline", name: "all that the checks found was accepted before", want: result.Pass, says: "accepted",
			record: func(d *dossier) { d.broken(); d.accept() },
		},
		{
			rules: "baseline", name: "a finding that the baseline does not have", want: result.Fail, says: "runs as root",
			record: func(d *dossier) {
				d.broken()
				d.accept()
				d.found("kube/schema", lint.Error, "StatefulSet/openbao", "runs as root")
			},
		},
		{
			rules: "baseline", name: "an accepted finding moved to another object", want: result.Fail, says: "spec.replica",
			record: func(d *dossier) {
				d.broken()
				d.accept()
				i := slices.IndexFunc(d.check.Findings, func(f lint.Finding) bool { return f.Object == "Deployment/openbao" })
				d.check.Findings[i].Object = "StatefulSet/openbao"
			},
		},
		{
			rules: "baseline", name: "there is one more of an accepted finding", want: result.Fail, says: "spec.replica",
			record: func(d *dossier) {
				d.broken()
				d.accept()
				d.found("kube/schema", lint.Error, "Deployment/openbao", "spec.replica: no such field")
			},
		},
		{
			rules: "baseline", name: "an accepted warning became an error", want: result.Fail, says: "changes nothing",
			record: func(d *dossier) {
				d.found("values/dead", lint.Warning, "", "changes nothing")
				d.accept()
				d.check.Findings = d.check.Findings[:len(d.check.Findings)-1]
				d.check.Counts.Warnings--
				d.found("values/dead", lint.Error, "", "changes nothing")
			},
		},
		{
			rules: "baseline", name: "the report itself says that its findings are accepted",
			want: result.Fail, says: "no such field",
			record: func(d *dossier) {
				d.broken()
				for i := range d.check.Findings {
					if f := &d.check.Findings[i]; f.Severity == lint.Error {
						f.Accepted = &lint.Acceptance{Reason: "because", Owner: "me", Expires: "2099-01-01"}
					}
				}
				d.check.Counts.Accepted, d.check.Counts.Errors, d.check.Passed = d.check.Counts.Errors, 0, true
			},
		},
		{
			rules:  "baseline-ends",
			name:   "an accepted finding whose time is over",
			want:   refused,
			says:   "it expired on",
			record: entry(on(time.Now().AddDate(0, 0, -2))),
		},
		{
			rules:  "baseline-ends",
			name:   "a finding that is accepted for ten years",
			want:   refused,
			says:   "more than a year",
			record: entry(on(time.Now().AddDate(10, 0, 0))),
		},
		{
			rules:  "baseline-ends",
			name:   "a finding that is accepted for no reason",
			want:   refused,
			says:   "no reason",
			record: entry(func(a *lint.Accepted) { a.Reason = " " }),
		},
		{
			rules:  "baseline-ends",
			name:   "a finding that nobody accepted",
			want:   refused,
			says:   "no owner",
			record: entry(func(a *lint.Accepted) { a.Owner = "" }),
		},
		{
			rules:  "baseline-ends",
			name:   "a finding of a rule that there is not",
			want:   refused,
			says:   "no such rule",
			record: entry(func(a *lint.Accepted) { a.Rule = "kube/nothing" }),
		},
		{
			rules: "baseline-ends", name: "the baseline of another chart", want: refused, says: "baseline of chart vault",
			record: func(d *dossier) { d.broken(); d.accept(); d.baseline.Chart = "vault" },
		},
	}
}

// lock is what a scenario about the chart says of a chart that has no address of its own.
const lock = `the leader's address is "http://[::]:8200"`

// fails has a scenario fail in both topologies, and the baseline accept a failure of
// config/one-lock.
func (d *dossier) fails(id, reason string) {
	for _, where := range topology.Names() {
		d.runs[0].outcome(where, id, result.Failed, reason)
	}
	d.accept()
	d.baseline.Scenarios = []lint.Known{{ID: "config/one-lock", Says: lock, Acceptance: taken()}}
}

// knownAttacks are about failures of scenarios that somebody has accepted.
func knownAttacks() []attack {
	entry := func(change func(*lint.Known)) func(*dossier) {
		return func(d *dossier) {
			d.fails("config/one-lock", lock)
			change(&d.baseline.Scenarios[0])
		}
	}
	return []attack{
		{
			rules: "baseline", name: "a failure that was accepted before", want: result.Pass, says: "accepted",
			record: entry(func(*lint.Known) {}),
		},
		{
			rules: "baseline", name: "so many accepted failures that little of a group passes",
			want: result.Pass, says: "accepted",
			record: func(d *dossier) {
				var all []lint.Known
				for _, id := range suiteIDs() {
					if subjects()[id] == result.SubjectChart && strings.HasPrefix(id, "config/") {
						d.fails(id, lock)
						d.baseline.Scenarios[0].ID = id
						all = append(all, d.baseline.Scenarios...)
					}
				}
				d.baseline.Scenarios = all
			},
		},
		{
			rules: "baseline", name: "another failure of the same scenario", want: result.Fail, says: "two leaders",
			record: func(d *dossier) { d.fails("config/one-lock", "there are two leaders") },
		},
		{
			rules: "baseline", name: "the same failure of another scenario", want: result.Fail, says: "config/metrics-bounded",
			record: func(d *dossier) { d.fails("config/metrics-bounded", lock) },
		},
		{
			rules: "baseline", name: "a failure that was accepted for the other topology",
			want: result.Fail, says: "cloud-native-hybrid: config/one-lock",
			record: entry(func(k *lint.Known) { k.Topology = "cloud-native" }),
		},
		{
			rules: "baseline", name: "a failure and the baseline of another chart",
			want: refused, says: "the chart that is checked is",
			record: func(d *dossier) { d.fails("config/one-lock", lock); d.baseline.Chart = "vault" },
		},
		{
			rules: "baseline", name: "a failure and the baseline of another chart, without static checks",
			want: refused, says: "the chart that is judged is",
			record: func(d *dossier) {
				d.fails("config/one-lock", lock)
				d.baseline.Chart, d.leave = "vault", []string{"charts-check.json"}
			},
		},
		{
			rules: "baseline-ends", name: "an accepted failure whose time is over", want: refused, says: "it expired on",
			record: entry(func(k *lint.Known) { k.Expires = time.Now().AddDate(0, 0, -2).Format(time.DateOnly) }),
		},
		{
			rules: "baseline-ends", name: "that a job reads another's secret is accepted",
			want: refused, says: "cannot be accepted",
			record: entry(func(k *lint.Known) { k.ID = "access/own-secret" }),
		},
		{
			rules: "baseline-ends", name: "whatever a scenario says is accepted", want: refused, says: "any failure",
			record: entry(func(k *lint.Known) { k.Says = "the" }),
		},
		{
			rules: "baseline-ends", name: "a failure of OpenBao is accepted of the chart",
			want: refused, says: "only failures about the chart",
			record: entry(func(k *lint.Known) { k.ID = "audit/refused-read" }),
		},
	}
}
