package attack_test

import (
	"bytes"
	"strings"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

// edit changes a file by its text.
func (d *dossier) edit(name, before, after string) {
	d.edits[name] = func(data []byte) []byte { return []byte(strings.Replace(string(data), before, after, 1)) }
}

// fileAttacks hand in files that are not what a run left behind, or about something else.
func fileAttacks() []attack {
	const run = "result-0.json"
	text := func(name, before, after string) func(*dossier) {
		return func(d *dossier) { d.edit(name, before, after) }
	}
	doc := func(change func(*result.Result)) func(*dossier) {
		return func(d *dossier) { change(d.runs[0].doc) }
	}
	chart := func(change func(*result.Chart)) func(*dossier) {
		return doc(func(r *result.Result) {
			for i := range r.Topologies {
				change(&r.Topologies[i].Chart)
			}
		})
	}
	return []attack{
		{
			rules: "whole-file", name: "a truncated result", want: refused, says: "truncated?",
			record: func(d *dossier) { d.edits[run] = func(data []byte) []byte { return data[:len(data)/2] } },
		},
		{
			rules: "whole-file", name: "an empty result", want: refused, says: "not a complete JSON document",
			record: func(d *dossier) { d.edits[run] = func([]byte) []byte { return nil } },
		},
		{
			rules: "whole-file", name: "a result with a second document behind it", want: refused,
			record: func(d *dossier) { d.edits[run] = func(data []byte) []byte { return append(data, "{}"...) } },
		},
		{
			rules:  "whole-file",
			name:   "a result of a newer schema",
			want:   refused,
			says:   "newer than",
			record: text(run, `"steamer/v1"`, `"steamer/v2"`),
		},
		{
			rules:  "whole-file",
			name:   "a result with a field that nobody knows",
			want:   refused,
			says:   "partly",
			record: text(run, `"partial"`, `"partly"`),
		},
		{
			rules:  "whole-file",
			name:   "something else than evidence",
			want:   refused,
			says:   "is not evidence",
			record: text(run, `"Result"`, `"Pod"`),
		},
		{
			rules:  "numbers",
			name:   "a latency that is not a number",
			want:   refused,
			record: text(run, `"mean": `, `"mean": NaN`),
		},
		{
			rules:  "numbers",
			name:   "a rate beyond all numbers",
			want:   refused,
			record: text(run, `"offered": 12`, `"offered": 1e999`),
		},
		{
			rules:  "numbers",
			name:   "a negative duration",
			want:   refused,
			record: text(run, `"measured": 600`, `"measured": -600`),
		},
		{
			rules:  "numbers",
			name:   "fewer than no failed fetches",
			want:   refused,
			record: text(run, `"failed": 0,`, `"failed": -5,`),
		},
		{
			rules: "numbers", name: "a negative latency", want: refused,
			record: doc(func(r *result.Result) { r.Topologies[0].Load.Intended.Mean = -3 }),
		},
		{
			rules:  "whole-file",
			name:   "a check with another verdict than there is",
			want:   refused,
			says:   "unknown verdict",
			record: text(run, `"PASS"`, `"GREEN"`),
		},
		{
			rules:  "once",
			name:   "the same result twice",
			want:   refused,
			says:   "the same content",
			record: func(d *dossier) { d.twice = append(d.twice, run) },
		},
		{
			rules:  "once",
			name:   "the same comparison twice",
			want:   refused,
			says:   "the same content",
			record: func(d *dossier) { d.twice = append(d.twice, "comparison-0.json") },
		},
		{
			rules: "rejudged", name: "the run says PASS where its scenario failed",
			want: result.Fail, says: "access/own-secret",
			record: func(d *dossier) {
				d.runs[0].outcome(inside, "access/own-secret", result.Failed, "got 500")
				d.runs[0].doc.Verdict, d.runs[0].place(inside).Verdict = result.Pass, result.Pass
			},
		},
		{
			rules: "rejudged", name: "the run's checks say PASS where its p99 was missed",
			want: result.Fail, says: "p99 from the intended start",
			world: func(d *dossier) { slow(spread(d.traffic(inside).measured(), 360), 600) },
			record: func(d *dossier) {
				checks := d.runs[0].place(inside).Checks
				for i := range checks {
					checks[i].Verdict, checks[i].Reason = result.Pass, ""
				}
			},
		},
		{
			rules: "one-chart", name: "the run is about another chart", want: refused, says: "one chart at a time",
			record: chart(func(c *result.Chart) { c.Digest = "sha256:another" }),
		},
		{
			rules: "one-chart", name: "the topologies are about two charts", want: refused, says: "one chart at a time",
			record: doc(func(r *result.Result) { r.Topologies[1].Chart.Digest = "sha256:another" }),
		},
		{
			rules: "one-chart", name: "the run is about another version", want: refused, says: "one chart at a time",
			record: chart(func(c *result.Chart) { c.Version = "0.2.1" }),
		},
		{
			rules: "one-chart", name: "the run had values laid over the chart", want: refused, says: "the same --values",
			record: chart(func(c *result.Chart) { c.Values = "sha256:values" }),
		},
		{
			rules: "one-openbao", name: "the topologies ran two versions of OpenBao",
			want: refused, says: "one OpenBao at a time",
			record: doc(func(r *result.Result) { r.Topologies[1].Versions = map[string]string{"openbao": "2.5.0"} }),
		},
		{
			rules: "one-openbao", name: "the comparison ran another OpenBao", want: refused, says: "one OpenBao at a time",
			record: func(d *dossier) { d.comparisons[0].B.Versions = map[string]string{"openbao": "2.5.0"} },
		},
		{
			rules: "one-chart", name: "the comparison is about another chart", want: refused, says: "one chart at a time",
			record: func(d *dossier) { d.comparisons[0].B.Chart.Digest = "sha256:another" },
		},
		{
			rules: "one-tier", name: "the load is of another tier", want: result.Inconclusive, says: `no load of tier "12"`,
			record: func(d *dossier) { d.runs[0].doc.Run.Tier = "60" },
		},
		{
			rules: "one-tier", name: "two tiers, and nobody says which", want: refused, says: "tier mismatch",
			world:  func(d *dossier) { d.repeat(1) },
			record: func(d *dossier) { d.runs[1].doc.Run.Tier, d.policy.Tier, d.comparisons = "60", "", nil },
		},
		{
			rules: "compare-edited", name: "more pairs than were planned", want: refused, says: "planned were at most",
			record: func(d *dossier) { d.comparisons[0].Design.MaxPairs = 6 },
		},
		{
			rules: "numbers", name: "a slice with a negative latency", want: refused, says: "pair 1",
			record: func(d *dossier) { d.comparisons[0].Pairs[0].B.Values["fetch_p50_ms"] = -1 },
		},
		{
			rules: "whole-file", name: "a comparison in an order that there is not", want: refused, says: "order",
			record: func(d *dossier) { d.comparisons[0].Pairs[0].Order = "BB" },
		},
		{
			rules: "quarantine-ends", name: "a quarantine without an end", want: refused, says: "since and expires",
			record: func(d *dossier) {
				d.quarantined("fetch_p50_ms", -day, day)
				d.edits["quarantine.json"] = func(data []byte) []byte {
					from := bytes.Index(data, []byte(`,"expires"`))
					return append(data[:from:from], "}]}"...)
				}
			},
		},
		{
			rules: "quarantine-ends", name: "a quarantine of a metric that there is not",
			want: refused, says: "there is no metric",
			record: func(d *dossier) { d.quarantined("fetch_p42_ms", -day, day) },
		},
	}
}

// otherWorkAttacks hand in loads that are not what jobs do.
func otherWorkAttacks() []attack {
	loads := func(change func(*result.Load)) func(*dossier) {
		return func(d *dossier) {
			for _, where := range []string{inside, hybrid} {
				change(d.runs[0].place(where).Load)
			}
		}
	}
	const none = "no load of tier"
	return []attack{
		{rules: "jobs-mode", name: "a load in another mode", want: result.Inconclusive, says: none, world: func(d *dossier) {
			d.everywhere(func(t *traffic) { t.mode = "login-read" })
		}},
		{
			rules: "jobs-mode",
			name:  "a load of GitLab's writes",
			want:  result.Inconclusive,
			says:  none,
			world: func(d *dossier) {
				d.everywhere(func(t *traffic) { t.mode = "rails" })
			},
		},
		{rules: "jobs-rate", name: "a load below the tier", want: result.Inconclusive, says: none, world: func(d *dossier) {
			d.runs[0] = goodRun(d.t, d.rng, 0, 6, 60, 600)
			d.runs[0].doc.Run.Tier = "12"
		}},
		{
			rules: "jobs-retries",
			name:  "failed requests were repeated, and rescued",
			want:  result.Inconclusive,
			says:  none,
			record: loads(func(l *result.Load) {
				l.Jobs.Retries, l.Attempts.Repeats = true, true
				l.Attempts.Failed, l.Attempts.Retried, l.Attempts.Rescued = 300, 300, 300
			}),
		},
		{
			rules:  "jobs-connections",
			name:   "connections were kept open",
			want:   result.Inconclusive,
			says:   none,
			record: loads(func(l *result.Load) { l.Jobs.Reuse = true }),
		},
		{
			rules: "jobs-tenants",
			name:  "one tenant with one secret",
			want:  result.Inconclusive,
			says:  none,
			record: loads(func(l *result.Load) {
				l.Jobs.Tenants, l.Jobs.Secrets = 1, 1
			}),
		},
		{
			rules:  "jobs-tenants",
			name:   "tenants with one secret each",
			want:   result.Inconclusive,
			says:   none,
			record: loads(func(l *result.Load) { l.Jobs.Secrets = 1 }),
		},
		{
			rules:  "jobs-tenants",
			name:   "a few hot tenants",
			want:   result.Inconclusive,
			says:   none,
			record: loads(func(l *result.Load) { l.Jobs.Choice = "zipf" }),
		},
		{
			rules:  "jobs-signing",
			name:   "tokens of another algorithm",
			want:   result.Inconclusive,
			says:   none,
			record: loads(func(l *result.Load) { l.Jobs.Signing = "ES256" }),
		},
		{
			rules:  "jobs-recorded",
			name:   "nobody recorded what the jobs did",
			want:   result.Inconclusive,
			says:   none,
			record: loads(func(l *result.Load) { l.Jobs = nil }),
		},
		{
			rules:  "jobs-script",
			name:   "another script",
			want:   result.Inconclusive,
			says:   none,
			record: loads(func(l *result.Load) { l.Workload = "health" }),
		},
		{rules: "jobs-rate", name: "a load above the tier", want: result.Inconclusive, says: none, world: func(d *dossier) {
			d.runs[0] = goodRun(d.t, d.rng, 0, 20, 60, 600)
			d.runs[0].doc.Run.Tier = "12"
		}},
		{
			rules: "jobs-easier", name: "a load that kept connections open misses its p99, beside a good one",
			want: result.Fail, says: "p99",
			world: func(d *dossier) {
				d.repeat(1)
				slow(spread(d.runs[1].loads[inside].measured(), 360), 5000)
			},
			record: func(d *dossier) { d.runs[1].place(inside).Load.Jobs.Reuse = true },
		},
		{
			rules: "jobs-latency",
			name:  "a second for the environment",
			want:  result.Inconclusive,
			says:  none,
			world: func(d *dossier) {
				for _, f := range d.traffic(inside).measured() {
					f.ms += 800
				}
			},
			record: func(d *dossier) { d.runs[0].doc.Run.EnvironmentLatency = 1000 },
		},
	}
}

// objectiveAttacks change the objectives so that they ask for nothing.
func objectiveAttacks() []attack {
	slo := func(change func(*judge.Entry)) func(*dossier) {
		return func(d *dossier) {
			copied := *d.policy.SLO
			copied.Entries = nil
			for _, e := range d.policy.SLO.Entries {
				e.Limits = append([]judge.Limit{}, e.Limits...)
				change(&e)
				copied.Entries = append(copied.Entries, e)
			}
			d.policy.SLO = &copied
		}
	}
	limits := func(change func(*judge.Limit)) func(*dossier) {
		return slo(func(e *judge.Entry) {
			for i := range e.Limits {
				change(&e.Limits[i])
			}
		})
	}
	return []attack{
		{
			rules: "objective-needed", name: "no entry is for this OpenBao", want: result.Inconclusive, says: "has none for",
			record: slo(func(e *judge.Entry) { e.OpenBao = ">=9.0.0" }),
		},
		{
			rules: "objective-needed", name: "every latency limit is informational", want: result.Inconclusive, says: "latency",
			record: limits(func(l *judge.Limit) { l.Informational = l.Informational || strings.HasPrefix(l.Metric, "fetch_") }),
		},
		{
			rules: "objective-needed", name: "only limits of what is no latency", want: result.Inconclusive, says: "latency",
			record: slo(func(e *judge.Entry) { e.Limits = e.Limits[:3] }),
		},
		{
			rules: "failed-fetch", name: "the file has no limit of failed fetches, and one failed",
			want: result.Fail, says: "failed fetches",
			world:  func(d *dossier) { bad(spread(d.traffic(inside).measured(), 1)) },
			record: slo(func(e *judge.Entry) { e.Limits = e.Limits[3:6] }),
		},
		{
			rules: "wrong-value", name: "the file has no limit of wrong values, and there is one",
			want: result.Fail, says: "wrong value",
			world:  func(d *dossier) { d.traffic(inside).measured()[7].wrong = true },
			record: slo(func(e *judge.Entry) { e.Limits = e.Limits[3:6] }),
		},
		{
			rules: "objective-missed", name: "a limit of 0 ms", want: result.Fail, says: "mean",
			record: limits(func(l *judge.Limit) {
				if l.Metric == "fetch_mean_ms" {
					l.Limit = 0
				}
			}),
		},
		{
			rules: "failed-fetch", name: "any fetch may fail, and all do", want: result.Fail, says: "or failed",
			world: func(d *dossier) { bad(d.traffic(inside).measured()) },
			record: limits(func(l *judge.Limit) {
				if l.Metric == "error_rate" {
					l.Limit = 1
				}
			}),
		},
		{
			rules: "compare-failures", name: "B fails more where any fetch may fail", want: result.Fail, says: "failed fetches",
			world: func(d *dossier) {
				somePairs(d.comparisons[0], 12, func(p *compare.Pair) { answers503(&p.B, 40) })
			},
		},
	}
}
