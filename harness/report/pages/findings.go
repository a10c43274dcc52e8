package pages

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/stats"
)

// WriteFindings writes findings.json and findings.md into dir, which must exist.
func WriteFindings(dir string, r *findings.Report) error {
	r = secret.Scrub(r)
	return writeMeasurement(dir, "findings", r, findingsDocument(r))
}

// Findings is the page of all experiments in Markdown.
func Findings(r *findings.Report) string { return findingsDocument(secret.Scrub(r)).Markdown() }

func findingsDocument(r *findings.Report) *render.Document {
	d := &render.Document{}
	d.Title(1, "Findings")
	d.Say("What single settings do to the throughput and the cost of a secret fetch. %s runs the experiments of %s and writes this page: "+
		"each runs the same closed loop on servers that differ in one setting, OpenBao and PostgreSQL as processes with a database for each, in turns "+
		"(forwards, then backwards). A ratio is the Hodges-Lehmann estimate over the rounds, in brackets its 95 %% interval (signed-rank). An interval "+
		"that holds 1 says that no effect was seen. The processes and k6 share one machine: read ratios, not rates.",
		render.Literal("make findings"), render.Literal(findings.Dir))
	version, took := "", 0.0
	for _, o := range r.Outcomes {
		version = ", OpenBao " + r.Outcomes[0].OpenBao
		took += o.Seconds
	}
	d.Say("Measured on %s, %s%s, in %s. Outcome: %s.", r.Started.Format("2 January 2006"), r.Host, version,
		time.Duration(took*float64(time.Second)).Round(time.Minute), render.Strong(string(r.Verdict)))
	reasons(d, r.Record)
	advice(d, r)
	found(d, r)
	for _, o := range r.Outcomes {
		experimentSection(d, o)
	}
	ending(d, nil, r.Reproduce)
	return d
}

// advice is what a maintainer reads first.
func advice(d *render.Document, r *findings.Report) {
	var all []findings.Advice
	for _, o := range r.Outcomes {
		all = append(all, o.Advice()...)
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(a, b findings.Advice) int { return cmp.Compare(b.Gain.Ratio, a.Gain.Ratio) })
	table := render.Table{Head: []string{
		"change", "throughput, times", "CPU per fetch, times", "worth it", "what it costs", "experiment",
	}}
	for _, a := range all {
		gain, cpu := interval(a.Gain), "–"
		if a.CPU != nil {
			cpu = interval(*a.CPU)
		}
		if a.While != "" {
			gain += ", " + a.While
		}
		worth := a.Verdict()
		if worth == findings.WorthIt {
			worth = render.Strong(worth)
		}
		table.Add(a.Change, gain, cpu, worth, cmp.Or(a.Costs, "nothing seen"), render.ToSection(a.Experiment, a.Experiment))
	}
	d.Title(2, "What to change, and what it brings")
	d.Table(table)
	d.Say("Worth it: the throughput's lower bound is at least %.2f, or the CPU's upper bound at most %.2f.",
		findings.Worth, 1/findings.Worth)
}

func interval(r stats.Ratio) string { return fmt.Sprintf("%.2f (%.2f to %.2f)", r.Ratio, r.Lo, r.Hi) }

// found lists the effects that the run has to find again by itself.
func found(d *render.Document, r *findings.Report) {
	var list []string
	for _, o := range r.Outcomes {
		for _, f := range o.Found {
			list = append(list, fmt.Sprintf("%s %s: %s", map[bool]string{true: "✓", false: "✗"}[f.OK], render.Strong(f.Finding),
				f.Explains))
		}
	}
	if len(list) > 0 {
		d.Title(2, "Effects found again")
		d.Say("Known effects that this run measured again. It fails when it does not find them.")
		d.List(list...)
	}
}

// experimentSection is the section of one experiment.
func experimentSection(d *render.Document, o *findings.Outcome) {
	e := o.Experiment
	d.Section(e.ID, e.Title)
	d.Say("%s", e.Question)
	d.Say("Why: %s", e.Source)
	while := ""
	if e.RotateEvery > 0 { // a storm's table says it itself
		while = ", " + e.While()
	}
	d.Say("%d connections, %s%s; %d rounds of %s after a warm-up of %s; %d tenants.", e.Load.Connections,
		connections(e.Load.Reuse), while, e.Rounds, time.Duration(e.Load.Duration), time.Duration(e.Load.Warmup),
		e.Load.Tenants)
	if e.Storm != nil {
		storm(d, o)
	} else {
		arms(d, o)
	}
	var others []float64 // what other processes used in each slice
	for _, a := range o.Arms {
		others = append(others, a.Values("others")...)
		if a.Limited != "" {
			d.Say("%s: %s.", a.Name, a.Limited)
		}
	}
	if len(others) > 0 {
		d.Say("Other processes of the machine used %.1f cores in the median slice and %.1f in the worst.",
			stats.Median(others), slices.Max(others))
	}
	ending(d, e.NotMeasured, "")
	if o.Partial != "" {
		d.Say("%s: %s", render.Strong("Partial"), exit.FirstLine(o.Partial))
	}
}

func connections(reused bool) string {
	if reused {
		return "kept"
	}
	return "one per fetch"
}

func arms(d *render.Document, o *findings.Outcome) {
	table := render.Table{Head: []string{
		"arm", "fetches/s", "ratio", "OpenBao + PostgreSQL, ms of CPU per fetch", "ratio of CPU", "p95 ms",
		"connections opened per 1,000 fetches", "throttled",
	}}
	for i, a := range o.Arms {
		if len(a.Slices) == 0 {
			continue
		}
		throughput, cpu := "base", "base"
		if i > 0 {
			throughput, cpu = ratio(a, o.Arms[0], "throughput"), ratio(a, o.Arms[0], "cpu")
		}
		median := func(format, metric string) string { return fmt.Sprintf(format, stats.Median(a.Values(metric))) }
		table.Add(a.Name, spread(a.Values("throughput")), throughput,
			median("%.2f", "openbao")+" + "+median("%.2f", "postgresql"), cpu, median("%.1f", "p95"),
			median("%.0f", "opened"), fmt.Sprintf("%.0f %%", 100*stats.Median(a.Values("throttled"))))
	}
	d.Table(table)
}

func storm(d *render.Document, o *findings.Outcome) {
	s := o.Experiment.Storm
	d.Say("%d logins begin %s into the measurement, and their tokens live %s. The storm is the slowest %d s within %s of the first expiry.",
		s.Logins, time.Duration(s.After), time.Duration(s.TTL), findings.StormSeconds, time.Duration(s.Window))
	table := render.Table{Head: []string{"arm", "fetches/s before", "left of it in the storm", "ratio of what is left"}}
	for i, a := range o.Arms {
		if len(a.Slices) == 0 {
			continue
		}
		left, over := a.Values("stormShare"), "base"
		if i > 0 {
			over = ratio(a, o.Arms[0], "stormShare")
		}
		table.Add(a.Name, spread(a.Values("quiet")), fmt.Sprintf("%.0f %% (%.0f to %.0f)", 100*stats.Median(left),
			100*slices.Min(left), 100*slices.Max(left)), over)
	}
	d.Table(table)
}

func spread(x []float64) string {
	return fmt.Sprintf("%.0f (%.0f to %.0f)", stats.Median(x), slices.Min(x), slices.Max(x))
}

func ratio(of, over findings.ArmOutcome, metric string) string {
	r, ok := findings.Ratio(of, over, metric)
	if !ok {
		return "too few rounds"
	}
	text := interval(r)
	if r.Lo > 1 || r.Hi < 1 {
		text = render.Strong(text)
	}
	return text
}
