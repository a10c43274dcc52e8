package findings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// ReportKind is the value of Report.Kind.
const ReportKind = "Findings"

// Report is all experiments of one run.
type Report struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Started    time.Time      `json:"started"`
	Finished   time.Time      `json:"finished"`
	Reproduce  string         `json:"reproduce"`
	Host       string         `json:"host"` // CPUs, memory, kernel
	Verdict    result.Verdict `json:"verdict"`
	Reasons    []string       `json:"reasons"`
	Partial    bool           `json:"partial"`
	Outcomes   []*Outcome     `json:"outcomes"`
}

// NewReport begins a report.
func NewReport(reproduce, host string) *Report {
	return &Report{
		APIVersion: result.APIVersion, Kind: ReportKind, Started: time.Now().UTC(), Reproduce: reproduce, Host: host,
		Outcomes: []*Outcome{}, Reasons: []string{},
	}
}

// Add adds an experiment that ran.
func (r *Report) Add(o *Outcome) { r.Outcomes = append(r.Outcomes, o) }

// Finish sets the end and the verdict: FAIL when an effect that an experiment has to find again was
// not found or a value was wrong, INCONCLUSIVE when an experiment did not reach its end.
func (r *Report) Finish() {
	r.Finished = time.Now().UTC()
	var failed, unsure []string
	for _, o := range r.Outcomes {
		if o.Wrong {
			failed = append(failed, fmt.Sprintf("%s: %s", o.Experiment.ID, firstLine(o.Partial)))
		}
		for _, f := range o.Found {
			if !f.OK && o.Partial == "" {
				failed = append(failed, fmt.Sprintf("%s was not found again: %s", f.Finding, f.Explains))
			}
		}
		if o.Partial != "" && !o.Wrong {
			unsure = append(unsure, fmt.Sprintf("%s: %s", o.Experiment.ID, firstLine(o.Partial)))
		}
	}
	switch {
	case len(failed) > 0:
		r.Verdict, r.Reasons = result.Fail, append(failed, unsure...)
	case len(unsure) > 0 || r.Partial:
		r.Verdict, r.Reasons = result.Inconclusive, unsure
	default:
		r.Verdict, r.Reasons = result.Pass, []string{"every experiment reached its end, and found again what it has to find"}
	}
}

// took is the time that the experiments themselves took.
func (r *Report) took() time.Duration {
	seconds := 0.0
	for _, o := range r.Outcomes {
		seconds += o.Seconds
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Minute)
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

// Markdown renders the page.
func (r *Report) Markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Findings\n")
	line("What single settings do to the throughput and the cost of a secret fetch. `make findings` runs the experiments of `%s` and writes this page:", Dir)
	line("each runs the same closed loop on servers that differ in one thing, OpenBao and PostgreSQL as processes with a database for each, in turns")
	line("(forwards, then backwards). A ratio is the Hodges-Lehmann estimate over the rounds, in brackets its 95 %% interval (signed-rank); one that holds 1")
	line("says that no effect was seen. The processes and k6 share one machine: read ratios, not rates.\n")
	version := ""
	if len(r.Outcomes) > 0 {
		version = ", OpenBao " + r.Outcomes[0].OpenBao
	}
	line("Measured on %s, %s%s, in %s. Outcome: **%s**.\n", r.Started.Format("2 January 2006"), r.Host, version, r.took(),
		r.Verdict)
	for _, reason := range r.Reasons {
		line("- %s", reason)
	}
	if r.Partial {
		line("- **partial**: the run did not reach its end")
	}
	r.advice(line)
	r.found(line)
	for _, o := range r.Outcomes {
		o.section(line)
	}
	line("\nReproduce: `%s`.", r.Reproduce)
	return b.String()
}

// advice is what a maintainer reads first.
func (r *Report) advice(line func(string, ...any)) {
	var all []Advice
	for _, o := range r.Outcomes {
		all = append(all, o.advice()...)
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(a, b Advice) int { return cmp.Compare(b.Gain.Ratio, a.Gain.Ratio) })
	line("\n## What to change, and what it brings\n\n| change | throughput, times | CPU per fetch, times | worth it | what it costs | experiment |\n|---|---|---|---|---|---|")
	for _, a := range all {
		gain, cpu := interval(a.Gain), "–"
		if a.CPU != nil {
			cpu = interval(*a.CPU)
		}
		if a.While != "" {
			gain += ", " + a.While
		}
		line("| %s | %s | %s | %s | %s | [%s](#%s) |", a.Change, gain, cpu, a.Verdict(), cmp.Or(a.Costs, "nothing seen"),
			a.Experiment, a.Experiment)
	}
	line("\nWorth it: the throughput's lower bound is at least %.2f, or the CPU's upper bound at most %.2f.", worth,
		1/worth)
}

func interval(r stats.Ratio) string { return fmt.Sprintf("%.2f (%.2f to %.2f)", r.Ratio, r.Lo, r.Hi) }

// found lists the effects that the run has to find again by itself.
func (r *Report) found(line func(string, ...any)) {
	heading := false
	for _, o := range r.Outcomes {
		for _, f := range o.Found {
			if !heading {
				line("\n## Effects found again\n\nKnown effects that this run measured again; it fails when it does not find them.\n")
				heading = true
			}
			line("- %s **%s**: %s", map[bool]string{true: "✓", false: "✗"}[f.OK], f.Finding, f.Explains)
		}
	}
}

// section is one experiment.
func (o *Outcome) section(line func(string, ...any)) {
	e := o.Experiment
	line("\n<a id=\"%s\"></a>\n\n## %s\n\n%s\n\nWhy: %s\n", e.ID, e.Title, e.Question, e.Source)
	while := ""
	if e.RotateEvery > 0 { // a storm's table says it itself
		while = ", " + e.while()
	}
	line("%d connections, %s%s; %d rounds of %s after a warm-up of %s; %d tenants.", e.Load.Connections,
		map[bool]string{true: "kept", false: "one per fetch"}[e.Load.Reuse], while,
		e.Rounds, time.Duration(e.Load.Duration), time.Duration(e.Load.Warmup), e.Load.Tenants)
	if e.Storm != nil {
		o.stormTable(line)
	} else {
		o.table(line)
	}
	for _, a := range o.Arms {
		if a.Limited != "" {
			line("\n%s: %s.", a.Name, a.Limited)
		}
	}
	if others := o.others(); len(others) > 0 {
		line("\nOther processes of the machine used %.1f cores in the median slice and %.1f in the worst.",
			stats.Median(others), slices.Max(others))
	}
	for _, gap := range e.NotMeasured {
		line("\nNot measured: %s.", gap)
	}
	if o.Partial != "" {
		line("\n**Partial**: %s", firstLine(o.Partial))
	}
}

// others is what other processes used in each slice.
func (o *Outcome) others() []float64 {
	var out []float64
	for _, a := range o.Arms {
		out = append(out, a.values("others")...)
	}
	return out
}

func (o *Outcome) table(line func(string, ...any)) {
	line("\n| arm | fetches/s | ratio | OpenBao + PostgreSQL, ms of CPU per fetch | ratio of CPU | p95 ms | connections opened per 1,000 fetches | throttled |")
	line("|---|---|---|---|---|---|---|---|")
	for i, a := range o.Arms {
		if len(a.Slices) == 0 {
			continue
		}
		throughput, cpu := "base", "base"
		if i > 0 {
			throughput, cpu = ratioText(a, o.Arms[0], "throughput"), ratioText(a, o.Arms[0], "cpu")
		}
		line("| %s | %s | %s | %.2f + %.2f | %s | %.1f | %.0f | %.0f %% |", a.Name, spread(a.values("throughput")),
			throughput,
			stats.Median(a.values("openbao")), stats.Median(a.values("postgresql")), cpu, stats.Median(a.values("p95")),
			stats.Median(a.values("opened")),
			100*stats.Median(a.values("throttled")))
	}
}

func (o *Outcome) stormTable(line func(string, ...any)) {
	s := o.Experiment.Storm
	line("\n%d logins begin %s into the measurement, and their tokens live %s. The storm is the slowest %d s within %s of the first expiry.\n",
		s.Logins, time.Duration(s.After), time.Duration(s.TTL), stormSeconds, time.Duration(s.Window))
	line("| arm | fetches/s before | left of it in the storm | ratio of what is left |\n|---|---|---|---|")
	for i, a := range o.Arms {
		if len(a.Slices) == 0 {
			continue
		}
		left := a.values("stormShare")
		text := "base"
		if i > 0 {
			text = ratioText(a, o.Arms[0], "stormShare")
		}
		line("| %s | %s | %.0f %% (%.0f to %.0f) | %s |", a.Name, spread(a.values("quiet")), 100*stats.Median(left),
			100*slices.Min(left), 100*slices.Max(left), text)
	}
}

func spread(x []float64) string {
	return fmt.Sprintf("%.0f (%.0f to %.0f)", stats.Median(x), slices.Min(x), slices.Max(x))
}

func ratioText(of, over ArmOutcome, metric string) string {
	r, ok := ratio(of, over, metric)
	if !ok {
		return "too few rounds"
	}
	text := interval(r)
	if r.Lo > 1 || r.Hi < 1 {
		text = "**" + text + "**"
	}
	return text
}
