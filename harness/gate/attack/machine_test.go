package attack_test

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/result"
)

// machineAttacks are troubles of the machine and of Steamer's own parts, which are no fault of the
// chart and no good news about it either.
func machineAttacks() []attack {
	missed := func(d *dossier) { slow(spread(d.traffic(inside).measured(), 360), 5000) }
	return []attack{
		{
			rules: "machine-stalled", name: "p99 missed while the machine stood still for half a minute",
			want: result.Inconclusive, says: "this machine stood still for",
			world: missed,
			record: func(d *dossier) {
				host := d.runs[0].place(inside).Host
				host.Samples = slices.Delete(host.Samples, 300, 330)
			},
		},
		{
			rules: "generator-throttling", name: "p99 missed while the pods that drove the load were throttled",
			want: result.Inconclusive, says: "a load generator was throttled",
			world: missed,
			record: func(d *dossier) {
				place, t := d.runs[0].place(inside), d.traffic(inside)
				place.Load.Parts = []result.LoadPart{{Name: "k6-0", Segment: "0:1", Fetches: place.Load.Fetches, CPUs: 1}}
				place.Resources = append(place.Resources, t.observed("k6", "k6-0/k6", "", steady(0.1), steady(0.5)))
			},
		},
		{
			rules: "generator-throttling", name: "nobody watched the pods that drove the load",
			want: result.Inconclusive, says: "were not all observed",
			record: func(d *dossier) {
				place := d.runs[0].place(inside)
				place.Load.Parts = []result.LoadPart{{Name: "k6-0", Segment: "0:1", Fetches: place.Load.Fetches, CPUs: 1}}
			},
		},
		{
			rules: "machine-memory", name: "a kill for memory on a machine that has none left, in one of two runs",
			want:  result.Pass,
			world: func(d *dossier) { d.repeat(1) },
			record: func(d *dossier) {
				host := d.runs[1].place(inside).Host
				for i := range host.Samples {
					host.Samples[i].AvailableMiB = 50
				}
				d.runs[1].event(inside, 100, oomKilled)
			},
		},
		{
			rules: "fixtures", name: "Steamer's own stub restarts, in one of two runs", want: result.Pass,
			world: func(d *dossier) { d.repeat(1) },
			record: func(d *dossier) {
				e := ended("gitlab-stub-0/gitlab-stub", "Error", 2)
				e.Component = "gitlab-stub"
				d.runs[1].event(inside, 100, e)
			},
		},
		{
			rules: "old-records", name: "a kill for memory in a record that does not say whose, in one of two runs",
			want: result.Inconclusive, says: "1 of 2 runs",
			world: func(d *dossier) { d.repeat(1) },
			record: func(d *dossier) {
				d.runs[1].event(inside, 100, result.Event{Kind: "restart", Detail: oomKilled.Detail})
			},
		},
		{
			rules: "old-records", name: "the database stands still in a record without the machine",
			want: result.Inconclusive, says: "stood still",
			record: func(d *dossier) {
				d.runs[0].place(inside).Host = nil
				d.event(inside, 100, stoodFor)
			},
		},
		{
			rules: "restart machine-excuse", name: "a restart just after strangers had the machine for 6 s, in one of two runs",
			want: result.Pass,
			world: func(d *dossier) {
				d.repeat(1)
				d.runs[1].loads[inside].strangers = func(second int) float64 {
					if second >= 150 && second < 156 { // of 60 s of warm-up and 600 s
						return 3
					}
					return 0.05
				}
			},
			record: func(d *dossier) { d.runs[1].event(inside, 100, restarted) },
		},
	}
}
