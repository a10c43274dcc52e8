package attack_test

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/result"
)

// trial is one run: what happened to the load of each topology, and the record of it, which has no
// load before it is counted.
type trial struct {
	loads map[string]*traffic
	doc   *result.Result
}

// place is one topology of a run.
func (r *trial) place(name string) *result.Topology {
	i := slices.IndexFunc(r.doc.Topologies, func(t result.Topology) bool { return t.Name == name })
	return &r.doc.Topologies[i]
}

// outcome changes what became of a scenario.
func (r *trial) outcome(where, id string, status result.Status, reason string) {
	place := r.place(where)
	place.Scenarios = slices.Clone(place.Scenarios)
	i := slices.IndexFunc(place.Scenarios, func(s result.Scenario) bool { return s.ID == id })
	if i < 0 {
		i = len(place.Scenarios)
		place.Scenarios = append(place.Scenarios, result.Scenario{ID: id})
	}
	place.Scenarios[i].Status, place.Scenarios[i].Reason = status, reason
}

// repeat adds more runs, good ones as well.
func (d *dossier) repeat(more int) {
	for range more {
		run := goodRun(d.t, d.rng, len(d.runs), 12, 60, 600)
		for _, t := range run.loads {
			t.quick = true // there are many
		}
		d.runs = append(d.runs, run)
	}
}

// fullStack makes a run one against a whole GitLab, which has one topology and no chart.
func (d *dossier) fullStack(r *trial) {
	place := *r.place(inside)
	place.Name, place.Chart = "full-stack", result.Chart{}
	r.doc.Topologies = []result.Topology{place}
}
