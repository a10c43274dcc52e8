package attack_test

import (
	"math"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
)

// times has B's slices show a metric so many times as large.
func times(c *compare.Comparison, metric string, by float64) {
	for i := range c.Pairs {
		c.Pairs[i].B.Values[metric] *= by
	}
}

// some changes the first n pairs.
func somePairs(c *compare.Comparison, n int, change func(*compare.Pair)) {
	for i := range n {
		change(&c.Pairs[i])
	}
}

// answers503 has a slice fail fetches, at once.
func answers503(s *compare.Slice, failed int64) {
	s.Failed = failed
	if failed == s.Fetches {
		for name := range s.Values {
			s.Values[name] /= 3
		}
	}
}

// quarantined takes a metric out of the verdict, from and until some time from now.
func (d *dossier) quarantined(metric string, since, until time.Duration) {
	now := time.Now().UTC()
	d.quarantine = &compare.Quarantine{
		APIVersion: result.APIVersion,
		Kind:       compare.QuarantineKind,
		Metrics: []compare.Quarantined{
			{
				Metric:  metric,
				Reason:  "its pairs could not have shown less than 30 %",
				Since:   now.Add(since),
				Expires: now.Add(until),
			},
		},
	}
}

const day = 24 * time.Hour

// noisyMedian has the slices' medians scatter so much that no pairs of that number decide.
func (d *dossier) noisyMedian() {
	for i := range d.comparisons[0].Pairs {
		for _, s := range []compare.Slice{d.comparisons[0].Pairs[i].A, d.comparisons[0].Pairs[i].B} {
			s.Values["fetch_p50_ms"] *= math.Exp(0.8 * d.rng.NormFloat64())
		}
	}
}

// comparisonAttacks are about the comparison with the release before.
func comparisonAttacks() []attack {
	// compared wraps a change of the comparison. It happens before the verdicts are stated, so
	// that the file's agrees.
	pairs := func(change func(*compare.Comparison)) func(*dossier) {
		return func(d *dossier) { change(d.comparisons[0]) }
	}
	required := func(change func(*compare.Comparison)) func(*dossier) {
		return func(d *dossier) {
			change(d.comparisons[0])
			d.policy.Required = append(d.policy.Required, gate.Comparison)
		}
	}
	const again = "comparison with the last release"
	return []attack{
		{
			rules: "compare-failures", name: "B answers 503 to everything in 4 slices of 12",
			want: result.Inconclusive, says: "failed fetches",
			world: pairs(
				func(c *compare.Comparison) { somePairs(c, 4, func(p *compare.Pair) { answers503(&p.B, p.B.Fetches) }) },
			),
		},
		{
			rules: "compare-failures", name: "B answers 503 to everything in 8 slices of 12",
			want: result.Fail, says: "failed fetches",
			world: pairs(
				func(c *compare.Comparison) { somePairs(c, 8, func(p *compare.Pair) { answers503(&p.B, p.B.Fetches) }) },
			),
		},
		{
			rules: "compare-failures", name: "B answers 503 to everything in one slice of 12",
			want: result.Inconclusive, says: "too little to prove a regression",
			world: required(
				func(c *compare.Comparison) { somePairs(c, 1, func(p *compare.Pair) { answers503(&p.B, p.B.Fetches) }) },
			),
		},
		{
			rules: "compare-failures", name: "B fails a single fetch",
			want: result.Inconclusive, says: "too little to prove a regression",
			world: required(func(c *compare.Comparison) { somePairs(c, 1, func(p *compare.Pair) { answers503(&p.B, 1) }) }),
		},
		{
			rules: "compare-failures", name: "B fails half of its fetches, A one of each slice",
			want: result.Fail, says: "failed fetches",
			world: pairs(func(c *compare.Comparison) {
				somePairs(c, 12, func(p *compare.Pair) { answers503(&p.A, 1); answers503(&p.B, 150) })
			}),
		},
		{
			rules: "compare-base", name: "both fail fetches alike",
			want: result.Inconclusive, says: "a base that has them cannot be the base",
			world: required(func(c *compare.Comparison) {
				somePairs(c, 12, func(p *compare.Pair) { answers503(&p.A, 20); answers503(&p.B, 20) })
			}),
		},
		{
			rules: "compare-overload", name: "B does not carry the load in 3 slices of 12",
			want: result.Inconclusive, says: again,
			world: required(func(c *compare.Comparison) {
				somePairs(c, 3, func(p *compare.Pair) { p.B.Overload, p.B.Dropped = "dropped-iterations missed", 40 })
			}),
		},
		{
			rules: "compare-overload", name: "B never carries the load",
			want: result.Fail, says: "offered load was not carried",
			world: pairs(func(c *compare.Comparison) {
				somePairs(c, 12, func(p *compare.Pair) { p.B.Overload, p.B.Dropped = "dropped-iterations missed", 40 })
			}),
		},
		{
			rules: "compare-disruption", name: "B restarts in 3 slices of 12", want: result.Inconclusive, says: again,
			world: required(func(c *compare.Comparison) {
				somePairs(c, 3, func(p *compare.Pair) { p.B.Invalid = []string{"restart missed"} })
			}),
		},
		{
			rules: "compare-metric", name: "the median is a third larger", want: result.Fail, says: "above the margin",
			world: pairs(func(c *compare.Comparison) { times(c, "fetch_p50_ms", 1.33) }),
		},
		{
			rules: "compare-metric", name: "OpenBao's CPU per fetch is half as much again",
			want: result.Fail, says: "above the margin",
			world: pairs(func(c *compare.Comparison) { times(c, "openbao_cpu_ms_per_fetch", 1.5) }),
		},
		{
			rules: "compare-p95", name: "the p95 is ten times as large", want: result.Fail, says: "p95",
			world: pairs(func(c *compare.Comparison) { times(c, "fetch_p95_ms", 10) }),
		},
		{
			rules: "compare-metric", name: "too noisy to tell", want: result.Inconclusive, says: again,
			world: func(d *dossier) {
				d.noisyMedian()
				d.policy.Required = append(d.policy.Required, gate.Comparison)
			},
		},
		{
			rules: "compare-wrong", name: "B answers a wrong value", want: result.Fail, says: "wrong value",
			world: pairs(func(c *compare.Comparison) { c.Pairs[3].B.Wrong = 1 }),
		},
		{
			rules: "compare-base", name: "A answers a wrong value", want: result.Inconclusive, says: "cannot be the base",
			world: required(func(c *compare.Comparison) { c.Pairs[3].A.Wrong = 1 }),
		},
		{
			rules: "compare-unfit", name: "B does not come up", want: result.Fail, says: "B does not",
			world: pairs(func(c *compare.Comparison) { c.Pairs, c.B.Unfit = nil, "no PostgreSQL" }),
		},
		{
			rules: "compare-base", name: "A does not come up", want: result.Inconclusive, says: "A did not come up",
			world: required(func(c *compare.Comparison) { c.Pairs, c.A.Unfit = nil, "no PostgreSQL" }),
		},
		{
			rules: "compare-scenario", name: "a scenario fails with B alone, twice",
			want: result.Fail, says: "access/own-secret",
			world: pairs(func(c *compare.Comparison) {
				c.Functional = append(
					c.Functional,
					compare.Functional{ID: "access/own-secret", A: result.Passed, B: result.Failed, Reason: "got 500", Twice: true},
				)
			}),
		},
		{
			rules: "compare-complete", name: "the comparison was interrupted",
			want: result.Inconclusive, says: "did not reach its end",
			world: required(func(c *compare.Comparison) { c.Partial = true }),
		},
		{
			rules: "compare-complete fail-first", name: "an interrupted comparison that shows B three times as slow",
			want: result.Fail, says: "above the margin",
			world: pairs(func(c *compare.Comparison) { c.Partial = true; times(c, "fetch_p50_ms", 3) }),
		},
		{
			rules: "compare-lax", name: "a margin of 50 %", want: result.Inconclusive, says: "a margin of 50 %",
			world: required(func(c *compare.Comparison) { c.Design.GateMetrics = compare.DefaultGate(0.5) }),
		},
		{
			rules: "compare-lax", name: "an error rate of 40 %", want: result.Inconclusive, says: "(alpha) of 0.4",
			world: required(func(c *compare.Comparison) { c.Design.Alpha = 0.4 }),
		},
		{
			rules: "compare-edited rejudged", name: "the file says PASS where its pairs say FAIL",
			want: result.Fail, says: "above the margin",
			world:  pairs(func(c *compare.Comparison) { times(c, "fetch_p50_ms", 1.5) }),
			record: func(d *dossier) { d.comparisons[0].Verdict = result.Pass },
		},
		{
			rules: "compare-edited", name: "the file says FAIL where its pairs say PASS",
			want: result.Inconclusive, says: "does not follow from its pairs",
			record: func(d *dossier) {
				d.comparisons[0].Verdict = result.Fail
				d.policy.Required = append(d.policy.Required, gate.Comparison)
			},
		},
		{
			rules: "quarantine-fails", name: "the median is three times as large, and in quarantine",
			want: result.Fail, says: "p50",
			world: func(d *dossier) {
				times(d.comparisons[0], "fetch_p50_ms", 3)
				d.quarantined("fetch_p50_ms", -day, 20*day)
			},
		},
		{
			rules: "quarantine-ends", name: "a noisy metric whose quarantine has ended", want: result.Inconclusive, says: again,
			world: func(d *dossier) {
				d.noisyMedian()
				d.quarantined("fetch_p50_ms", -20*day, -day)
			},
		},
		{
			rules: "quarantine-ends", name: "a quarantine until the year 9999", want: refused, says: "30 days",
			world: func(d *dossier) {
				d.noisyMedian()
				d.quarantined("fetch_p50_ms", -day, 0)
				d.quarantine.Metrics[0].Expires = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
			},
		},
		{
			rules: "compare-zero", name: "one reading of CPU is 0", want: result.Pass,
			world: required(func(c *compare.Comparison) { c.Pairs[4].B.Values["openbao_cpu_ms_per_fetch"] = 0 }),
		},
		{
			rules: "compare-zero", name: "all of B's readings of CPU are 0", want: result.Inconclusive, says: again,
			world: required(func(c *compare.Comparison) { times(c, "openbao_cpu_ms_per_fetch", 0) }),
		},
		{
			rules: "compare-asked", name: "the comparison was asked for and did not decide",
			want: result.Inconclusive, says: again,
			world: func(d *dossier) { d.comparisons[0].Pairs = d.comparisons[0].Pairs[:4] },
		},
		{
			rules: "compare-itself", name: "the chart is compared with itself",
			want: refused, says: "compares the chart with itself",
			world: pairs(func(c *compare.Comparison) { c.A.Chart.Digest = c.B.Chart.Digest }),
		},
		{
			rules: "compare-other", name: "the chart is compared with another", want: refused, says: "a different chart",
			world: pairs(func(c *compare.Comparison) { c.A.Chart.Name = "vault" }),
		},
		{
			rules: "compare-previous", name: "the chart is compared with an old, slow release",
			want: refused, says: "the declared previous release is",
			world: pairs(func(c *compare.Comparison) { c.A.Chart.Version, c.A.Chart.Digest = "0.0.1", "sha256:old" }),
		},
		{
			rules: "compare-previous", name: "nobody declared which release came before",
			want: result.Inconclusive, says: "not declared",
			world: func(d *dossier) { d.policy.Previous = nil },
		},
		{
			rules: "compare-metric", name: "a comparison in which p95 does not decide",
			want: result.Inconclusive, says: "fetch_p95_ms did not decide",
			world: pairs(func(c *compare.Comparison) { c.Design.GateMetrics = c.Design.GateMetrics[:2] }),
		},
		{
			rules: "compare-values", name: "the sides have other values", want: refused, says: "have different values",
			world: pairs(func(c *compare.Comparison) { c.B.Config = "sha256:values" }),
		},
		{
			rules: "compare-calibration", name: "a side was slowed down on purpose", want: refused, says: "calibration",
			world: pairs(func(c *compare.Comparison) { c.A.Delay = 50 }),
		},
		{
			rules: "compare-tier", name: "a comparison at another tier", want: refused, says: "tier mismatch",
			world: pairs(func(c *compare.Comparison) { c.Design.Tier = "60" }),
		},
		{
			rules: "compare-mode", name: "a comparison in another mode", want: refused, says: "jobs fetch in mode inline",
			world: pairs(func(c *compare.Comparison) { c.Design.Mode = "login-read" }),
		},
		{
			rules: "compare-where", name: "a comparison of processes", want: refused, says: "local",
			world: pairs(func(c *compare.Comparison) { c.Design.Where = "local" }),
		},
		{
			rules: "compare-jobs", name: "a comparison that keeps connections", want: refused, says: "kept connections open",
			world: pairs(func(c *compare.Comparison) { c.Design.Reuse = true }),
		},
	}
}
