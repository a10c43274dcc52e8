// Package calibrate finds out how far comparisons can be trusted on a machine: it
// compares a system with itself, counts the alarms, makes one side slower on
// purpose, counts what is found, and says which metrics are too noisy to decide.
package calibrate

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// Kind is the value of Calibration.Kind.
const Kind = "Calibration"

// Calibration is the outcome, which Judge derives from comparisons.
type Calibration struct {
	APIVersion string         `json:"apiVersion"` // result.APIVersion
	Kind       string         `json:"kind"`
	Made       time.Time      `json:"made"`
	Design     compare.Design `json:"design"` // of the first comparison; all have the same
	Runs       []Run          `json:"runs"`
	// Same is comparisons of a system with itself; the alarms are FAILs.
	Same Rate `json:"same"`
	// Relabelled is the same comparisons with A and B of each pair exchanged by chance, many times
	// each: at the margin, and with a margin of 0, where the design promises at most alpha.
	Relabelled     Rate        `json:"relabelled"`
	RelabelledZero Rate        `json:"relabelledZero"`
	Found          []Detection `json:"found"`
	Metrics        []Metric    `json:"metrics"`
}

// Run is one comparison in short.
type Run struct {
	ID       string         `json:"id"`
	Injected float64        `json:"injected"`       // share of the median latency added to B, 0.1 is 10 %
	CPUs     float64        `json:"cpus,omitempty"` // cores that B was limited to
	Delay    float64        `json:"delay"`          // ms
	Verdict  result.Verdict `json:"verdict"`
	Shown    bool           `json:"shown"` // a latency metric's interval lies above 1
	Pairs    int            `json:"pairs"`
	Seconds  float64        `json:"seconds"`
	Reason   string         `json:"reason"`
}

// Rate is how often something happened; Upper and Lower bound it with 95 %
// each (Clopper and Pearson).
type Rate struct {
	Events int     `json:"events"`
	Of     int     `json:"of"`
	Lower  float64 `json:"lower"`
	Upper  float64 `json:"upper"`
}

// rate makes a Rate.
func rate(events, of int) Rate {
	k, n := float64(events), float64(of)
	return Rate{events, of, stats.ClopperPearsonLower(k, n, 0.05), stats.ClopperPearsonUpper(k, n, 0.05)}
}

// Detection is how often a regression of one kind and size was found.
type Detection struct {
	Injected float64 `json:"injected"`       // share of the median latency added to B
	CPUs     float64 `json:"cpus,omitempty"` // cores that B was limited to
	Failed   Rate    `json:"failed"`         // verdict FAIL: more than the margin
	Shown    Rate    `json:"shown"`          // an interval above 1
}

// Metric is the noise of one metric in comparisons of a system with itself: medians over them.
type Metric struct {
	Name  string  `json:"name"`
	Gate  bool    `json:"gate"`
	SD    float64 `json:"sd"` // of a pair's log-ratio
	CV    float64 `json:"cv"` // of the slices
	Noise string  `json:"noise"`
	MDE   float64 `json:"mde"` // with all planned pairs, at the level of the last analysis
	// Quarantine says that the margin is below what all planned pairs can show.
	Quarantine bool `json:"quarantine"`
}

// relabellings of every comparison.
const relabellings = 50

// Judge derives a calibration from comparisons whose B differs from A by a delay or a CPU limit at
// most.
func Judge(list []*compare.Comparison) *Calibration {
	c := &Calibration{
		APIVersion: result.APIVersion, Kind: Kind, Made: time.Now().UTC(), Runs: []Run{},
		Found: []Detection{}, Metrics: []Metric{},
	}
	if len(list) == 0 {
		return c
	}
	c.Design = list[0].Design
	var same []*compare.Comparison
	alarms := 0
	byTreatment := map[treatment][]Run{}
	for _, doc := range list {
		r := describe(doc)
		c.Runs = append(c.Runs, r)
		if t := treated(doc); t != (treatment{}) {
			byTreatment[t] = append(byTreatment[t], r)
			continue
		}
		same = append(same, doc)
		if r.Verdict == result.Fail {
			alarms++
		}
	}
	c.Same = rate(alarms, len(same))
	c.Relabelled, c.RelabelledZero = relabelled(same, false), relabelled(same, true)
	for t, runs := range byTreatment {
		failed, shown := 0, 0
		for _, r := range runs {
			if r.Verdict == result.Fail {
				failed++
			}
			if r.Shown {
				shown++
			}
		}
		c.Found = append(c.Found, Detection{t.Effect, t.CPUs, rate(failed, len(runs)), rate(shown, len(runs))})
	}
	slices.SortFunc(c.Found, func(a, b Detection) int {
		return treatment{a.Injected, a.CPUs}.compare(treatment{b.Injected, b.CPUs})
	})
	c.Metrics = noise(same)
	return c
}

// describe judges a comparison and puts it in short.
func describe(doc *compare.Comparison) Run {
	compare.Judge(doc, nil)
	r := Run{
		ID: doc.ID, Injected: doc.B.Injected, CPUs: doc.B.CPUs, Delay: doc.B.Delay, Verdict: doc.Verdict,
		Pairs:   len(doc.Pairs),
		Seconds: doc.Finished.Sub(doc.Started).Seconds(), Reason: doc.Reasons[0],
	}
	for _, m := range doc.Metrics {
		r.Shown = r.Shown || (m.Gate && m.Unit == "ms" && m.Change == "more")
	}
	return r
}

// relabelled exchanges A and B of each pair by chance and counts alarms. Since a comparison of a
// system with itself has no A and B but by name, every exchange is as likely as what was seen.
func relabelled(same []*compare.Comparison, zero bool) Rate {
	rng := rand.New(rand.NewPCG(1, uint64(len(same))))
	alarms, of := 0, 0
	for _, doc := range same {
		if len(doc.Pairs) < compare.MinPairs {
			continue
		}
		for range relabellings {
			other := *doc
			other.Pairs = slices.Clone(doc.Pairs)
			if zero {
				other.Design.GateMetrics = slices.Clone(doc.Design.GateMetrics)
				for i := range other.Design.GateMetrics {
					other.Design.GateMetrics[i].Margin = 0
				}
			}
			for i := range other.Pairs {
				if rng.IntN(2) == 1 {
					other.Pairs[i].A, other.Pairs[i].B = other.Pairs[i].B, other.Pairs[i].A
				}
			}
			compare.Judge(&other, nil)
			of++
			if other.Verdict == result.Fail {
				alarms++
			}
		}
	}
	return rate(alarms, of)
}

// noise takes each metric's medians over comparisons of a system with itself.
func noise(same []*compare.Comparison) []Metric {
	var out []Metric
	for _, name := range compare.Recorded() {
		var sd, cv []float64
		m := Metric{Name: name}
		margin := 0.0
		for _, doc := range same {
			for _, x := range doc.Metrics {
				if x.Name == name && x.Pairs > 1 {
					sd, cv = append(sd, x.SD), append(cv, x.CV)
					m.Gate, margin = m.Gate || x.Gate, x.Margin
				}
			}
		}
		if len(sd) == 0 {
			continue
		}
		d := same[0].Design
		last := stats.Interims{Alpha: d.Alpha, Every: d.InterimEvery, Max: d.MaxPairs}.Level((d.MaxPairs-1)/d.InterimEvery*d.InterimEvery,
			d.MaxPairs, true)
		m.SD, m.CV = stats.Median(sd), stats.Median(cv)
		m.Noise = string(stats.NoiseOf(m.CV))
		m.MDE = stats.DetectableEffect(m.SD, d.MaxPairs, last, stats.DefaultPower)
		if math.IsInf(m.MDE, 0) {
			m.MDE = math.MaxFloat64
		}
		m.Quarantine = m.Gate && margin > 0 &&
			m.MDE > margin // nothing shows 0 %, and who asks for it wants to know of anything that is seen
		out = append(out, m)
	}
	return out
}
