package attack_test

import (
	"math"

	"gitlab.com/steamer/steamer/harness/result"
)

// everywhere changes the loads of all runs.
func (d *dossier) everywhere(change func(*traffic)) {
	for _, run := range d.runs {
		for _, t := range run.loads {
			change(t)
		}
	}
}

// traffic of the first run on a topology.
func (d *dossier) traffic(where string) *traffic { return d.runs[0].loads[where] }

// shorten makes the first run as short as some seconds.
func (d *dossier) shorten(profile string, warmup, seconds float64) {
	d.runs[0] = goodRun(d.t, d.rng, 0, 12, warmup, seconds)
	d.runs[0].doc.Run.Profile = profile
}

// starved has the load generator want the whole machine.
func starved(t *traffic) { t.generator = steady(0.9 * t.cpus) }

// controls are no attacks: good evidence, and events that are no fault.
func controls() []attack {
	return []attack{
		{name: "nothing is wrong", want: result.Pass, says: "objectives under load"},
		{
			name: "p99 held with a few outliers", want: result.Pass,
			world: func(d *dossier) { slow(spread(d.traffic(inside).measured(), 5), 600) },
		},
		{
			name: "a crowded machine on which all objectives hold", want: result.Pass,
			world: func(d *dossier) { d.everywhere(func(t *traffic) { t.strangers = steady(2.5) }) },
		},
		{
			name: "a planned restart under load", want: result.Pass,
			record: func(d *dossier) {
				d.event(inside, 100, result.Event{Kind: "restart", Detail: "openbao restarted", Planned: true})
			},
		},
		{
			name: "a restart before the load", want: result.Pass,
			record: func(d *dossier) {
				d.event(inside, -300, oomKilled)
			},
		},
		{name: "two good runs", want: result.Pass, world: func(d *dossier) { d.repeat(1) }},
	}
}

// latencyAttacks are about the quantile objectives: p95 250 ms, p99 500 ms, mean 100 ms at tier
// 12.
func latencyAttacks() []attack {
	return []attack{
		{
			rules: "quantile-missed", name: "p99 missed tenfold by 1.5 % of ten minutes",
			want: result.Fail, says: "p99 from the intended start",
			world: func(d *dossier) { slow(spread(d.traffic(inside).measured(), 180), 5000) },
		},
		{
			rules: "quantile-missed", name: "p99 missed in a minute, too",
			want: result.Fail, says: "p99 from the intended start",
			world: func(d *dossier) {
				d.shorten("smoke", 15, 60)
				slow(spread(d.traffic(hybrid).measured(), 36), 600)
			},
		},
		{
			rules: "quantile-missed", name: "p95 missed by 8 %", want: result.Fail, says: "p95 from the intended start",
			world: func(d *dossier) { slow(spread(d.traffic(inside).measured(), 576), 300) },
		},
		{
			rules: "quantile-missed", name: "a stall that only the intended start shows",
			want: result.Fail, says: "from the intended start",
			world: func(d *dossier) {
				for _, f := range spread(d.traffic(inside).measured(), 576) {
					f.ms = 900 // own stays
				}
			},
		},
		{
			rules: "quantile-open", name: "six of a minute's 720 fetches take 10 s",
			want: result.Inconclusive, says: "p99 from the intended start",
			world: func(d *dossier) {
				d.shorten("smoke", 15, 60)
				slow(spread(d.traffic(inside).measured(), 6), 10000)
			},
		},
		{
			rules: "quantile-bursts", name: "1.4 % above the p99 limit in one burst",
			want: result.Inconclusive, says: "p99 from the intended start",
			world: func(d *dossier) { slow(d.traffic(inside).between(300, 308.4), 700) },
		},
		{
			rules: "quantile-bursts", name: "1 % above the p99 limit in one burst",
			want: result.Inconclusive, says: "p99 from the intended start",
			world: func(d *dossier) { slow(d.traffic(inside).between(300, 306), 700) },
		},
		{
			rules: "quantile-bursts lucky-run", name: "p99 beyond its limit in a burst, in one of two runs",
			want: result.Inconclusive, says: "1 of 2 runs: p99 from the intended start",
			world: func(d *dossier) {
				d.repeat(1)
				slow(d.runs[1].loads[inside].between(300, 308.4), 700)
			},
		},
		{
			rules: "objective-missed", name: "the mean is twice its limit",
			want: result.Fail, says: "mean from the intended start",
			world: func(d *dossier) { slow(spread(d.traffic(inside).measured(), 3600), 220) },
		},
		{
			rules: "objective-missed", name: "everything takes twenty times as long",
			want: result.Fail, says: "from the intended start",
			world: func(d *dossier) {
				for _, f := range d.traffic(hybrid).measured() {
					f.ms, f.own = 20*f.ms, 20*f.own
				}
			},
		},
		{
			rules: "objective-missed lucky-run", name: "one of two runs misses its p99",
			want: result.Fail, says: "p99 from the intended start",
			world: func(d *dossier) {
				d.repeat(1)
				slow(spread(d.runs[1].loads[inside].measured(), 360), 5000)
			},
		},
		{
			rules: "machine-excuse", name: "p99 missed, but the load generator was starved",
			want: result.Inconclusive, says: "k6 used",
			world: func(d *dossier) {
				slow(spread(d.traffic(inside).measured(), 360), 5000)
				d.everywhere(starved)
			},
		},
		{
			rules: "machine-excuse", name: "p99 missed, but strangers had the machine",
			want: result.Inconclusive, says: "other processes",
			world: func(d *dossier) {
				slow(spread(d.traffic(inside).measured(), 360), 5000)
				d.everywhere(func(t *traffic) { t.strangers = steady(2.8) })
			},
		},
		{
			rules: "machine-excuse lucky-run", name: "a run that the machine spoiled beside a good one", want: result.Pass,
			world: func(d *dossier) {
				d.repeat(1)
				for _, t := range d.runs[0].loads {
					slow(spread(t.measured(), 360), 5000)
					starved(t)
				}
			},
		},
		{
			rules: "chart-crowds", name: "p99 missed while the chart's logging kept kubelet and runtime busy",
			want: result.Fail, says: "p99 from the intended start",
			world: func(d *dossier) {
				slow(spread(d.traffic(inside).measured(), 360), 5000)
				d.everywhere(func(t *traffic) { t.kubernetes = steady(2.8) })
			},
		},
		{
			rules: "cgroup-limits", name: "p99 missed in a job that may use half a CPU of many",
			want: result.Inconclusive, says: "the job has too few CPUs",
			world: func(d *dossier) {
				slow(spread(d.traffic(inside).measured(), 360), 5000)
				d.everywhere(func(t *traffic) { t.cpus, t.generator, t.own = 0.5, steady(0.02), steady(0.6) })
			},
			record: func(d *dossier) { d.runs[0].doc.Run.Host.CPUs, d.runs[0].doc.Run.Host.UsableCPUs = 64, 0.5 },
		},
		{
			rules: "cgroup-limits", name: "p99 missed while strangers took what the job may not use anyway",
			want: result.Fail, says: "p99 from the intended start",
			world: func(d *dossier) {
				slow(spread(d.traffic(inside).measured(), 360), 5000)
				d.everywhere(func(t *traffic) { t.cpus, t.strangers = 2, steady(2.4) })
			},
			record: func(d *dossier) { d.runs[0].doc.Run.Host.CPUs, d.runs[0].doc.Run.Host.UsableCPUs = 4, 2 },
		},
		{
			rules: "cgroup-limits", name: "strangers take what the job's control group leaves it",
			want: result.Inconclusive, says: "other processes",
			world: func(d *dossier) {
				slow(spread(d.traffic(inside).measured(), 360), 5000)
				d.everywhere(func(t *traffic) { t.cpus, t.strangers = 2, steady(3) })
			},
			record: func(d *dossier) { d.runs[0].doc.Run.Host.CPUs, d.runs[0].doc.Run.Host.UsableCPUs = 4, 2 },
		},
		{
			rules: "machine-size", name: "p99 missed on a machine with one CPU",
			want: result.Inconclusive, says: "the host has 1 CPUs",
			world: func(d *dossier) {
				slow(spread(d.traffic(inside).measured(), 360), 5000)
				d.everywhere(func(t *traffic) { t.cpus, t.strangers, t.kubernetes = 1, steady(0.01), steady(0.6) })
			},
			record: func(d *dossier) { d.runs[0].doc.Run.Host.CPUs = 1 },
		},
	}
}

// fetchAttacks are about fetches that fail, answer wrongly, or never start.
func fetchAttacks() []attack {
	wrong := func(list []*fetched) { list[len(list)/2].wrong = true }
	other := func(tier string, change func(*dossier, *trial)) func(*dossier) {
		return func(d *dossier) {
			d.repeat(1)
			d.runs[1].doc.Run.Tier = tier
			change(d, d.runs[1])
		}
	}
	return []attack{
		{
			rules: "failed-fetch", name: "one fetch failed", want: result.Fail, says: "failed fetches",
			world: func(d *dossier) { bad(spread(d.traffic(hybrid).measured(), 1)) },
		},
		{
			rules: "failed-fetch", name: "all fetches failed at once", want: result.Fail, says: "failed fetches",
			world: func(d *dossier) { bad(d.traffic(hybrid).measured()) },
		},
		{
			rules: "failed-fetch no-excuse", name: "fetches failed while the load generator was starved",
			want: result.Fail, says: "failed fetches",
			world: func(d *dossier) {
				bad(spread(d.traffic(inside).measured(), 20))
				d.everywhere(starved)
			},
		},
		{
			rules: "failed-fetch lucky-run", name: "fetches failed in one of two runs",
			want: result.Fail, says: "failed fetches",
			world: func(d *dossier) {
				d.repeat(1)
				bad(spread(d.runs[1].loads[inside].measured(), 3))
			},
		},
		{
			rules: "wrong-value", name: "one wrong value", want: result.Fail, says: "wrong value",
			world: func(d *dossier) { wrong(d.traffic(inside).measured()) },
		},
		{
			rules: "wrong-value", name: "a wrong value in the warm-up", want: result.Fail, says: "wrong value",
			world: func(d *dossier) { d.traffic(inside).fetches[3].wrong = true },
		},
		{
			rules: "wrong-value", name: "a wrong value in an excursion", want: result.Fail, says: "wrong value",
			world: func(d *dossier) { list := d.traffic(inside).between(100, 120); excurse(list); wrong(list) },
		},
		{
			rules: "wrong-value", name: "a wrong value at another tier", want: result.Fail, says: "wrong value",
			world: other("30", func(_ *dossier, r *trial) { wrong(r.loads[inside].measured()) }),
		},
		{
			rules: "wrong-value", name: "a wrong value in another mode", want: result.Fail, says: "wrong value",
			world: other(
				"12",
				func(_ *dossier, r *trial) { r.loads[inside].mode = "login-read"; wrong(r.loads[inside].measured()) },
			),
		},
		{
			rules: "wrong-value", name: "a wrong value in a run that was stopped", want: result.Fail, says: "wrong value",
			world: other("12", func(_ *dossier, r *trial) {
				r.doc.Run.Partial, r.loads[inside].partial = true, "k6 was stopped"
				wrong(r.loads[inside].measured())
			}),
		},
		{
			rules: "wrong-value no-excuse", name: "a wrong value on a starved machine", want: result.Fail, says: "wrong value",
			world: func(d *dossier) { wrong(d.traffic(inside).measured()); d.everywhere(starved) },
		},
		{
			rules: "wrong-value", name: "a wrong value in a run against a whole GitLab", want: result.Fail, says: "wrong value",
			world:  other("12", func(_ *dossier, r *trial) { wrong(r.loads[inside].measured()) }),
			record: func(d *dossier) { d.fullStack(d.runs[1]) },
		},
		{
			rules: "dropped-by-subject", name: "arrivals dropped while the server stood still",
			want: result.Inconclusive, says: "the server held the VUs",
			world: func(d *dossier) { stall(d.traffic(inside), 200, 8) },
		},
		{
			rules: "dropped-by-machine", name: "arrivals dropped by a starved load generator",
			want: result.Inconclusive, says: "arrivals",
			world: func(d *dossier) {
				for _, f := range spread(d.traffic(inside).measured(), 40) {
					f.dropped = true
				}
				d.everywhere(starved)
			},
		},
		{
			rules: "dropped-by-machine lucky-run", name: "arrivals that k6 itself dropped, in one of two runs",
			want: result.Pass,
			world: func(d *dossier) {
				d.repeat(1)
				for _, f := range spread(d.runs[1].loads[inside].measured(), 40) {
					f.dropped = true
				}
			},
		},
		{
			rules: "achieved-rate", name: "94 % carried, the rest drained late",
			want: result.Fail, says: "the server carried less",
			world: func(d *dossier) {
				t := d.traffic(inside)
				for _, f := range t.measured() {
					f.ms += (f.at - t.warmup) * 0.06 * 1000
				}
			},
		},
		{
			rules: "interrupted-fetches", name: "fetches cut off at the end", want: result.Inconclusive, says: "still running",
			world: func(d *dossier) { d.traffic(inside).extra["interrupted"] = 3 },
		},
		{
			rules: "complete-load", name: "the load ended early", want: result.Inconclusive, says: "k6 ended",
			world: func(d *dossier) { d.traffic(inside).partial = "k6 ended with exit code 137" },
		},
		{
			rules: "k6-thresholds", name: "a threshold of the script was crossed", want: result.Fail, says: "threshold",
			world: func(d *dossier) { d.traffic(inside).extra["k6_thresholds_failed"] = 1 },
		},
	}
}

// stall is a server that answers nothing for some seconds from a time on. For what arrives then
// and finds no VU, k6 makes one, at the price of a dropped arrival.
func stall(t *traffic, from, seconds float64) {
	for i, f := range t.between(from, from+seconds) {
		f.ms = (t.warmup+from+seconds-f.at)*1000 + 10
		f.own = f.ms
		f.dropped = i >= initialVUs && i%2 == 0 && !f.wrong && !f.failed
	}
}

// excurse has fetches lie in an excursion.
func excurse(list []*fetched) {
	for _, f := range list {
		f.phase = "excursion"
	}
}

// rising has latencies grow by a factor from the beginning of the measurement to its end.
func rising(t *traffic, factor float64) {
	for _, f := range t.measured() {
		by := math.Pow(factor, (f.at-t.warmup)/t.seconds)
		f.ms, f.own = f.ms*by, f.own*by
	}
}
