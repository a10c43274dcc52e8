package attack_test

import (
	"fmt"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// event adds one to a topology of the first run, some seconds after the start of the measurement.
func (d *dossier) event(where string, second float64, e result.Event) {
	d.runs[0].event(where, second, e)
}

func (r *trial) event(where string, second float64, e result.Event) {
	place := r.place(where)
	e.At = place.Load.Start.Add(time.Duration((place.Load.WarmupSeconds + second) * float64(time.Second)))
	place.Events = append(place.Events, e)
}

// series are those of OpenBao's pod, active or standby, of the first run.
func (d *dossier) series(where, pod string) *result.ResourceSeries {
	place := d.runs[0].place(where)
	i := slices.IndexFunc(place.Resources, func(s result.ResourceSeries) bool { return s.Name == pod })
	return &place.Resources[i]
}

// ended is an event in which a container ended.
func ended(name, reason string, code int) result.Event {
	return result.Event{
		Kind: "restart", Component: "openbao", Name: name, Reason: reason, ExitCode: code,
		Detail: fmt.Sprintf("steamer/%s restarted (%s, exit code %d)", name, reason, code),
	}
}

// gone is an event in which a pod went.
func gone(component, reason, message string) result.Event {
	return result.Event{
		Kind: "replacement", Component: component, Name: component + "-0", Reason: reason, Message: message,
		Detail: fmt.Sprintf("pod steamer/%s-0 went (%s)", component, reason),
	}
}

// What can happen to the parts of a chart.
var (
	oomKilled = ended(standbyPod, "OOMKilled", 137)
	crashed   = ended(activePod, "Error", 2)
	restarted = ended(activePod, "Error", 1)
	overDisk  = gone("openbao", "Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.")
	evicted   = gone("openbao", "Evicted", "The node was low on resource: memory.")
	deleted   = gone("openbao", "", "")
	newLeader = result.Event{Kind: "leadership", Detail: "openbao-6589df9f59-7sktp leads after openbao-6589df9f59-hk7zt"}
	twoLead   = result.Event{Kind: "leadership", Detail: "openbao-a and openbao-b are labelled as active at once"}
	stoodFor  = result.Event{
		Kind:   "database",
		Detail: "OpenBao's database stood still for 30 s: 8 transactions were open and executed nothing",
	}
)

// subjectAttacks are what happens to the chart's own parts under load. What is proven fails a
// release. What leaves a doubt holds it up, however many runs were lucky. What the machine did
// makes a run say nothing, so that another one can take its place.
func subjectAttacks() []attack {
	const fail, open, pass = result.Fail, result.Inconclusive, result.Pass
	var all []attack
	for _, e := range []struct {
		rule, name   string
		event        result.Event
		says         string
		want         result.Verdict // on a machine that is fine
		onBusy, luck result.Verdict // where the load generator was starved, in one run; and where that run is one of ten
	}{
		{"restart", "the standby is killed for its memory", oomKilled, "OOMKilled", fail, open, open},
		{"restart", "the active pod crashes", crashed, "exit code 2", fail, open, open},
		{"restart", "the active pod restarts", restarted, "exit code 1", open, open, pass},
		{"replacement", "a pod is evicted for its own disk use", overDisk, "Evicted", fail, fail, fail},
		{"replacement", "a pod is deleted by nobody knows whom", deleted, "went", open, open, open},
		{"leadership", "the leader changes", newLeader, "leads after", open, open, pass},
		{"leadership", "two pods lead at once", twoLead, "at once", open, open, pass},
		{"database", "the database stands still", stoodFor, "stood still", fail, open, pass},
	} {
		all = append(all, attack{
			rules: e.rule, name: e.name, want: e.want, says: e.says,
			record: func(d *dossier) { d.event(inside, 100, e.event) },
		}, attack{
			rules: e.rule + " lucky-run", name: e.name + " in one run of two", want: e.want, says: e.says,
			world:  func(d *dossier) { d.repeat(1) },
			record: func(d *dossier) { d.runs[1].event(inside, 100, e.event) },
		}, attack{
			rules: e.rule + " machine-excuse", name: e.name + " on a starved machine", want: e.onBusy,
			world:  func(d *dossier) { d.everywhere(starved) },
			record: func(d *dossier) { d.event(inside, 100, e.event) },
		}, attack{
			rules: e.rule + " machine-excuse", name: e.name + " on a starved machine in one run of two", want: e.luck,
			world: func(d *dossier) {
				d.repeat(1)
				for _, t := range d.runs[1].loads {
					starved(t)
				}
			},
			record: func(d *dossier) { d.runs[1].event(inside, 100, e.event) },
		})
	}
	return append(all,
		attack{
			rules: "restart lucky-run", name: "the standby is killed for its memory in nine runs of ten",
			want: result.Fail, says: "OOMKilled",
			world: func(d *dossier) { d.repeat(9) },
			record: func(d *dossier) {
				for _, run := range d.runs[1:] {
					run.event(hybrid, 100, oomKilled)
				}
			},
		},
		attack{
			rules: "replacement", name: "a pod is evicted because its node is short of memory",
			want: result.Inconclusive, says: "Evicted",
			record: func(d *dossier) { d.event(inside, 100, evicted) },
		},
		attack{
			rules: "replacement", name: "a pod is evicted because its node is short of memory, in one run of two",
			want:   result.Pass,
			world:  func(d *dossier) { d.repeat(1) },
			record: func(d *dossier) { d.runs[1].event(inside, 100, evicted) },
		},
		attack{
			rules: "steady", name: "latency triples from beginning to end", want: result.Inconclusive, says: "ms",
			world: func(d *dossier) { rising(d.traffic(inside), 3) },
		},
		attack{
			rules: "steady lucky-run", name: "latency triples in one run of two", want: result.Inconclusive, says: "ms",
			world: func(d *dossier) {
				d.repeat(1)
				rising(d.runs[1].loads[inside], 3)
			},
		},
		attack{
			rules: "steady", name: "the second half is three times as slow", want: result.Inconclusive, says: "ms",
			world: func(d *dossier) {
				for _, f := range d.traffic(inside).between(300, 600) {
					f.ms, f.own = 3*f.ms, 3*f.own
				}
			},
		},
		attack{
			rules: "dropped-by-subject lucky-run", name: "arrivals dropped by the server in one run of two",
			want: result.Inconclusive, says: "the server held the VUs",
			world: func(d *dossier) {
				d.repeat(1)
				stall(d.runs[1].loads[inside], 200, 8)
			},
		},
	)
}

// missingAttacks leave out what would have shown something.
func missingAttacks() []attack {
	return []attack{
		{
			rules: "observed", name: "the active pod was not sampled, the standby was",
			want: result.Inconclusive, says: "not watched",
			record: func(d *dossier) { s := d.series(inside, activePod); s.Samples = s.Samples[:10] },
		},
		{
			rules: "observed", name: "the active pod's series is missing", want: result.Inconclusive, says: "not watched",
			record: func(d *dossier) {
				place := d.runs[0].place(inside)
				place.Resources = slices.DeleteFunc(
					place.Resources,
					func(s result.ResourceSeries) bool { return s.Name == activePod },
				)
			},
		},
		{
			rules: "observed", name: "no pod was sampled", want: result.Inconclusive, says: "not watched",
			record: func(d *dossier) { d.runs[0].place(hybrid).Resources = nil },
		},
		{
			rules: "missing-not-zero", name: "every CPU reading is 0", want: result.Inconclusive,
			record: func(d *dossier) {
				s := d.series(inside, activePod)
				for i := range s.Samples {
					s.Samples[i].CPUCores, s.Samples[i].MemoryMiB = 0, 0
				}
			},
		},
		{
			rules: "log-complete", name: "the log of the seconds is missing", want: result.Inconclusive,
			record: func(d *dossier) { d.runs[0].place(inside).Load.Series = nil },
		},
		{
			rules: "log-complete", name: "a third of the seconds is missing from the log",
			want:   result.Inconclusive,
			says:   "p99 from the intended start: the seconds of the series do not add up",
			record: func(d *dossier) { l := d.runs[0].place(inside).Load; l.Series = slices.Delete(l.Series, 200, 400) },
		},
		{
			rules: "log-complete", name: "the log has failed fetches that the sum has not", want: refused, says: "failed",
			record: func(d *dossier) { d.runs[0].place(inside).Load.Series[300].Failed = 4 },
		},
		{
			rules: "log-complete", name: "the log has dropped arrivals that the sum has not", want: refused, says: "dropped",
			record: func(d *dossier) { d.runs[0].place(inside).Load.Series[300].Dropped = 40 },
		},
		{
			rules: "no-latency", name: "no latency was recorded", want: result.Inconclusive, says: "no latency was recorded",
			record: func(d *dossier) { d.runs[0].place(inside).Load.Intended = result.Distribution{} },
		},
		{
			rules: "no-latency", name: "the latencies of half of the fetches are missing",
			want: result.Inconclusive, says: "have a latency",
			record: func(d *dossier) { l := d.runs[0].place(inside).Load; l.Intended.Count /= 2 },
		},
		{
			rules: "generator-cpu", name: "nobody knows what the load generator used",
			want: result.Inconclusive, says: "not recorded",
			record: func(d *dossier) { d.runs[0].place(inside).Load.Generator = result.Generator{} },
		},
		{
			rules: "failed-fetch", name: "no fetch was completed", want: result.Inconclusive,
			world: func(d *dossier) {
				for _, f := range d.traffic(inside).measured() {
					f.dropped = true
				}
			},
		},
		{
			rules: "load-needed", name: "no load in one topology", want: result.Inconclusive, says: "no load of tier",
			record: func(d *dossier) { d.runs[0].place(hybrid).Load = nil },
		},
		{
			rules: "complete-load", name: "a load of no length", want: result.Inconclusive,
			record: func(d *dossier) { d.runs[0].place(hybrid).Load.MeasuredSeconds = 0 },
		},
	}
}
