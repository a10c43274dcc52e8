package pages

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/stats"
)

// WriteFindings writes findings.json and findings.md into dir, which must exist.
func WriteFindings(dir string, r *findings.Report) error {
	return writeMeasurement(dir, "findings", r, Findings(r))
}

// Findings is the page of all experiments in Markdown.
func Findings(r *findings.Report) string {
	r = secret.Scrub(r)
	t := &text{}
	t.line("# Findings\n")
	t.line("What single settings do to the throughput and the cost of a secret fetch. `make findings` runs the experiments of `%s` and writes this page:", findings.Dir)
	t.line("each runs the same closed loop on servers that differ in one setting, OpenBao and PostgreSQL as processes with a database for each, in turns")
	t.line("(forwards, then backwards). A ratio is the Hodges-Lehmann estimate over the rounds, in brackets its 95 %% interval (signed-rank). An interval")
	t.line("that holds 1 says that no effect was seen. The processes and k6 share one machine: read ratios, not rates.\n")
	version, took := "", 0.0
	for _, o := range r.Outcomes {
		version = ", OpenBao " + r.Outcomes[0].OpenBao
		took += o.Seconds
	}
	t.line("Measured on %s, %s%s, in %s. Outcome: **%s**.\n", r.Started.Format("2 January 2006"), r.Host, version,
		time.Duration(took*float64(time.Second)).Round(time.Minute), r.Verdict)
	t.list(r.Reasons, r.Partial)
	writeAdvice(t, r)
	writeFound(t, r)
	for _, o := range r.Outcomes {
		writeExperiment(t, o)
	}
	t.end(nil, r.Reproduce)
	return t.String()
}

// writeAdvice is what a maintainer reads first.
func writeAdvice(t *text, r *findings.Report) {
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
		table.Add(a.Change, gain, cpu, a.Verdict(), cmp.Or(a.Costs, "nothing seen"),
			fmt.Sprintf("[%s](#%s)", a.Experiment, a.Experiment))
	}
	t.line("\n## What to change, and what it brings\n\n%s", table.Markdown())
	t.line("Worth it: the throughput's lower bound is at least %.2f, or the CPU's upper bound at most %.2f.",
		findings.Worth,
		1/findings.Worth)
}

func interval(r stats.Ratio) string { return fmt.Sprintf("%.2f (%.2f to %.2f)", r.Ratio, r.Lo, r.Hi) }

// writeFound lists the effects that the run has to find again by itself.
func writeFound(t *text, r *findings.Report) {
	heading := false
	for _, o := range r.Outcomes {
		for _, f := range o.Found {
			if !heading {
				t.line("\n## Effects found again\n\nKnown effects that this run measured again. It fails when it does not find them.\n")
				heading = true
			}
			t.line("- %s **%s**: %s", map[bool]string{true: "✓", false: "✗"}[f.OK], f.Finding, f.Explains)
		}
	}
}

// writeExperiment is the section of one experiment.
func writeExperiment(t *text, o *findings.Outcome) {
	e := o.Experiment
	t.line("\n<a id=\"%s\"></a>\n\n## %s\n\n%s\n\nWhy: %s\n", e.ID, e.Title, e.Question, e.Source)
	while := ""
	if e.RotateEvery > 0 { // a storm's table says it itself
		while = ", " + e.While()
	}
	t.line("%d connections, %s%s; %d rounds of %s after a warm-up of %s; %d tenants.", e.Load.Connections,
		connections(e.Load.Reuse), while, e.Rounds, time.Duration(e.Load.Duration), time.Duration(e.Load.Warmup),
		e.Load.Tenants)
	if e.Storm != nil {
		writeStorm(t, o)
	} else {
		writeArms(t, o)
	}
	var others []float64 // what other processes used in each slice
	for _, a := range o.Arms {
		others = append(others, a.Values("others")...)
		if a.Limited != "" {
			t.line("\n%s: %s.", a.Name, a.Limited)
		}
	}
	if len(others) > 0 {
		t.line("\nOther processes of the machine used %.1f cores in the median slice and %.1f in the worst.",
			stats.Median(others), slices.Max(others))
	}
	t.end(e.NotMeasured, "")
	if o.Partial != "" {
		t.line("\n**Partial**: %s", exit.FirstLine(o.Partial))
	}
}

func connections(reused bool) string {
	if reused {
		return "kept"
	}
	return "one per fetch"
}

func writeArms(t *text, o *findings.Outcome) {
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
	t.line("\n%s", strings.TrimSuffix(table.Markdown(), "\n"))
}

func writeStorm(t *text, o *findings.Outcome) {
	s := o.Experiment.Storm
	t.line("\n%d logins begin %s into the measurement, and their tokens live %s. The storm is the slowest %d s within %s of the first expiry.\n",
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
	t.line("%s", strings.TrimSuffix(table.Markdown(), "\n"))
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
		text = "**" + text + "**"
	}
	return text
}
