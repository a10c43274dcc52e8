package attack_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
)

// pick draws some of the fetches, at least one.
func pick(rng *rand.Rand, list []*fetched, most int) []*fetched {
	n := 1 + rng.IntN(min(most, len(list)))
	out := make([]*fetched, 0, n)
	for _, i := range rng.Perm(len(list))[:n] {
		out = append(out, list[i])
	}
	return out
}

// share draws a given number of the fetches.
func share(rng *rand.Rand, list []*fetched, of float64) []*fetched {
	n := int(math.Ceil(of * float64(len(list))))
	out := make([]*fetched, 0, n)
	for _, i := range rng.Perm(len(list))[:n] {
		out = append(out, list[i])
	}
	return out
}

// quantile draws one that is asked for: its limit in ms, and which share of fetches may be above
// it.
func (d *dossier) quantile(rng *rand.Rand) (limit, allowed float64) {
	if d.brief || rng.IntN(2) == 0 {
		return 250, 0.05
	}
	return 500, 0.01
}

// burst is a stretch of the measurement, of seconds from and to.
func burst(rng *rand.Rand, t *traffic, least, most float64) []*fetched {
	length := least + (most-least)*rng.Float64()
	from := (t.seconds - length) * rng.Float64()
	return t.between(from, from+length)
}

// allIlls are the ways in which random evidence is bad.
var allIlls = slices.Concat(loadIlls, eventIlls, machineIlls, suiteIlls, staticIlls, comparisonIlls)

var loadIlls = []ill{
	{name: "wrong values", kind: proven, world: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
		t := r.loads[where]
		var all []*fetched // the warm-up's, too
		for i := range t.fetches {
			if !t.fetches[i].dropped {
				all = append(all, &t.fetches[i])
			}
		}
		for _, f := range pick(rng, all, 5) {
			f.wrong = true
		}
	}},
	{name: "failed fetches", kind: proven, world: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
		bad(pick(rng, r.loads[where].measured(), 100))
	}},
	{name: "a burst of failed fetches", kind: proven, world: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
		bad(burst(rng, r.loads[where], 1, 20))
	}},
	{name: "a quantile missed", kind: slowed, world: func(rng *rand.Rand, d *dossier, r *trial, where string) {
		limit, allowed := d.quantile(rng)
		slow(share(rng, r.loads[where].measured(), allowed*1.02+0.2*rng.Float64()), limit+1+1000*rng.Float64())
	}},
	{name: "a quantile missed in a burst", kind: slowed, world: func(rng *rand.Rand, d *dossier, r *trial, where string) {
		limit, allowed := d.quantile(rng)
		t := r.loads[where]
		slow(burst(rng, t, (allowed+0.015)*t.seconds, 0.3*t.seconds), limit+1+3000*rng.Float64())
	}},
	{name: "the mean missed", kind: slowed, world: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
		slow(r.loads[where].measured(), 105+100*rng.Float64())
	}},
	{
		name: "the server stands still and arrivals are dropped",
		kind: slowed,
		world: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
			t := r.loads[where]
			length := 25 + 15*rng.Float64() // until all VUs wait
			stall(t, (t.seconds-length)*rng.Float64(), length)
		},
	},
	{name: "the log is cut", kind: gap, record: func(rng *rand.Rand, d *dossier, _ *trial, where string) {
		for _, r := range d.runs {
			l := r.place(where).Load
			from := rng.IntN(len(l.Series) / 2)
			l.Series = slices.Delete(slices.Clone(l.Series), from, from+len(l.Series)/4)
		}
	}},
	{name: "no latencies", kind: gap, record: func(_ *rand.Rand, d *dossier, _ *trial, where string) {
		for _, r := range d.runs {
			r.place(where).Load.Intended = result.Distribution{}
		}
	}},
	{name: "the load ended early", kind: spoilt, record: func(_ *rand.Rand, _ *dossier, r *trial, where string) {
		r.place(where).Load.Partial = "k6 was killed"
	}},
}

// unplanned is an event at some moments of the load.
func unplanned(e result.Event) func(*rand.Rand, *dossier, *trial, string) {
	return func(rng *rand.Rand, _ *dossier, r *trial, where string) {
		for range 1 + rng.IntN(3) {
			r.event(where, r.place(where).Load.MeasuredSeconds*rng.Float64(), e)
		}
	}
}

var eventIlls = []ill{
	{name: "OOM kill", kind: finding, record: unplanned(oomKilled)},
	{name: "crash", kind: finding, record: unplanned(crashed)},
	{name: "restart", kind: slowed, record: unplanned(restarted)},
	{name: "eviction for the pod's own limit", kind: proven, record: unplanned(overDisk)},
	{name: "deletion", kind: finding, record: unplanned(deleted)},
	{name: "eviction by the node", kind: spoilt, record: unplanned(evicted)},
	{name: "another leader", kind: slowed, record: unplanned(newLeader)},
	{name: "a standstill of the database", kind: slowed, record: unplanned(stoodFor)},
	{name: "drift", kind: slowed, world: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
		t := r.loads[where]
		factor := 4 + 4*rng.Float64()
		for _, f := range t.between(t.seconds/2, t.seconds+1) {
			f.ms, f.own = factor*f.ms, factor*f.own
		}
	}},
}

// sparse takes samples away, so that less than nine tenths of the time are covered.
func sparse(rng *rand.Rand, s *result.ResourceSeries) {
	n := len(s.Samples)
	cut := n/5 + rng.IntN(n/2)
	if rng.IntN(2) == 0 {
		s.Samples = s.Samples[:n-cut]
	} else {
		s.Samples = s.Samples[cut:]
	}
}

var machineIlls = []ill{
	{name: "a starved load generator", kind: spoilt, world: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
		t := r.loads[where]
		t.generator = steady((0.25 + 0.6*rng.Float64()) * t.cpus)
	}},
	{
		name: "arrivals dropped by a starved load generator",
		kind: spoilt,
		world: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
			t := r.loads[where]
			t.generator = steady((0.4 + 0.5*rng.Float64()) * t.cpus)
			for _, f := range pick(rng, t.measured(), 100) {
				f.dropped = !f.wrong && !f.failed // what was never started was not answered
			}
		},
	},
	{name: "strangers on the machine", kind: shown, world: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
		t := r.loads[where]
		t.strangers = steady((0.5 + 0.4*rng.Float64()) * t.cpus)
	}},
	{
		name: "strangers on the machine, and all is slower",
		kind: shown,
		world: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
			t := r.loads[where]
			t.strangers = steady((0.6 + 0.3*rng.Float64()) * t.cpus)
			for _, f := range t.measured() {
				f.ms, f.own = f.ms+200+200*rng.Float64(), f.own+200
			}
		},
	},
	{
		name:   "the run was interrupted",
		kind:   gap,
		record: func(_ *rand.Rand, _ *dossier, r *trial, _ string) { r.doc.Run.Partial = true },
	},
	{name: "a step failed", kind: gap, record: func(_ *rand.Rand, _ *dossier, r *trial, where string) {
		r.doc.Steps = append(
			r.doc.Steps,
			result.Step{Name: "diagnostics", Topology: where, Started: time.Time{}, Error: "API server: connection refused"},
		)
	}},
	{
		name: "the active pod was hardly sampled",
		kind: spoilt,
		record: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
			place := r.place(where)
			i := slices.IndexFunc(place.Resources, func(s result.ResourceSeries) bool { return s.Name == activePod })
			sparse(rng, &place.Resources[i])
		},
	},
	{
		name: "nobody knows what the load generator used",
		kind: spoilt,
		record: func(_ *rand.Rand, _ *dossier, r *trial, where string) {
			r.place(where).Load.Generator = result.Generator{}
		},
	},
}

// drawScenario draws one that passed in the first run.
func drawScenario(rng *rand.Rand, r *trial, where string) string {
	for {
		s := r.place(where).Scenarios[rng.IntN(len(r.place(where).Scenarios))]
		if s.Status != result.Skipped {
			return s.ID
		}
	}
}

var suiteIlls = []ill{
	{name: "a failed scenario", kind: proven, record: func(rng *rand.Rand, _ *dossier, r *trial, where string) {
		r.outcome(where, drawScenario(rng, r, where), result.Failed, "got 500")
	}},
	{name: "a failed scan for secrets", kind: proven, record: func(_ *rand.Rand, _ *dossier, r *trial, where string) {
		r.outcome(where, "hygiene/no-secret-leaks", result.Failed, "found in a log")
	}},
	{name: "a scenario that was not tried", kind: gap, record: func(rng *rand.Rand, d *dossier, _ *trial, where string) {
		id := d.policy.Suite[rng.IntN(len(d.policy.Suite))]
		for _, r := range d.runs {
			place := r.place(where)
			place.Scenarios = slices.DeleteFunc(
				slices.Clone(place.Scenarios),
				func(s result.Scenario) bool { return s.ID == id && s.Status != result.Failed },
			)
		}
	}},
	{name: "a whole group was skipped", kind: gap, record: func(rng *rand.Rand, d *dossier, _ *trial, where string) {
		groups := []string{"access/", "abuse/", "audit/", "config/", "lifecycle/", "resilience/", "hygiene/"}
		skipGroup(d, where, groups[rng.IntN(len(groups))])
	}},
	{name: "a scan for secrets was skipped", kind: gap, record: func(_ *rand.Rand, d *dossier, _ *trial, where string) {
		skipGroup(d, where, "hygiene/no-secret-leaks")
	}},
}

// skipGroup has every run leave out the scenarios of a topology that begin so, but for those that
// failed.
func skipGroup(d *dossier, where, prefix string) {
	for _, r := range d.runs {
		for _, s := range slices.Clone(r.place(where).Scenarios) {
			if strings.HasPrefix(s.ID, prefix) && s.ID != "lifecycle/install" && s.Status == result.Passed {
				r.outcome(where, s.ID, result.Skipped, "there is nothing for it here")
			}
		}
	}
}

var staticIlls = []ill{
	{name: "an error of the static checks", kind: proven, record: func(rng *rand.Rand, d *dossier, _ *trial, _ string) {
		d.found(d.check.Rules[rng.IntN(len(d.check.Rules))].ID, lint.Error, "Deployment/openbao", "broken")
	}},
	{name: "a skipped rule", kind: gap, record: func(rng *rand.Rand, d *dossier, _ *trial, _ string) {
		i := rng.IntN(len(d.check.Rules))
		d.check.Rules[i].State, d.check.Rules[i].Reason = lint.Skipped, "for now"
	}},
	{name: "a mutant that survived", kind: proven, record: func(rng *rand.Rand, d *dossier, _ *trial, _ string) {
		copied := *d.mutants
		copied.Outcomes = slices.Clone(copied.Outcomes)
		copied.Outcomes[rng.IntN(len(copied.Outcomes))].Status = mutation.Survived
		d.mutants = &copied
	}},
}

var comparisonIlls = []ill{
	{name: "B hands out a wrong value", kind: proven, world: func(rng *rand.Rand, d *dossier, _ *trial, _ string) {
		c := d.compared()
		c.Pairs[rng.IntN(len(c.Pairs))].B.Wrong = 1
	}},
	{name: "B fails fetches", kind: finding, world: func(rng *rand.Rand, d *dossier, _ *trial, _ string) {
		c := d.compared()
		n := 1 + rng.IntN(len(c.Pairs))
		for _, i := range rng.Perm(len(c.Pairs))[:n] {
			answers503(&c.Pairs[i].B, 1+rng.Int64N(c.Pairs[i].B.Fetches))
		}
	}},
	{name: "B is slower", kind: finding, world: func(rng *rand.Rand, d *dossier, _ *trial, _ string) {
		c := d.compared()
		times(c, []string{"fetch_p50_ms", "openbao_cpu_ms_per_fetch"}[rng.IntN(2)], 1.3+2*rng.Float64())
	}},
	{
		name: "B is slower, by a metric in quarantine", kind: finding,
		world: func(rng *rand.Rand, d *dossier, _ *trial, _ string) {
			metric := []string{"fetch_p50_ms", "openbao_cpu_ms_per_fetch", "fetch_p95_ms"}[rng.IntN(3)]
			times(d.compared(), metric, 1.6+2*rng.Float64())
			d.quarantined(metric, -day, day)
		},
	},
	{
		name: "slices spoilt by the machine", kind: shown,
		world: func(rng *rand.Rand, d *dossier, _ *trial, _ string) {
			c := d.compared()
			for _, i := range rng.Perm(len(c.Pairs))[:1+rng.IntN(len(c.Pairs))] {
				for _, s := range []*compare.Slice{&c.Pairs[i].A, &c.Pairs[i].B} {
					s.Invalid = append(s.Invalid, "generator-cpu missed")
				}
			}
		},
	},
	{
		name: "the base fails fetches", kind: shown,
		world: func(rng *rand.Rand, d *dossier, _ *trial, _ string) {
			c := d.compared()
			for _, i := range rng.Perm(len(c.Pairs))[:1+rng.IntN(len(c.Pairs))] {
				answers503(&c.Pairs[i].A, 1+rng.Int64N(c.Pairs[i].A.Fetches))
			}
		},
	},
	{
		name: "the comparison reached no end", kind: gap,
		world: func(_ *rand.Rand, d *dossier, _ *trial, _ string) { d.compared().Partial = true },
	},
}
