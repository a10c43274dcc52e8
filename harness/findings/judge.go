package findings

import (
	"fmt"
	"math"
	"slices"

	"gitlab.com/steamer/steamer/harness/stats"
)

// alpha is the one-sided level of every bound: intervals of 95 %.
const alpha = 0.025

// Worth is the least gain, by the bound of its interval, for which a change is recommended: in
// throughput, or in CPU per fetch, which a crowded machine blurs less.
const Worth = 1.03

// Found is what became of an expectation.
type Found struct {
	Expectation
	OK       bool    `json:"ok"`
	Value    float64 `json:"value"` // the ratio, or the median
	Lo       float64 `json:"lo"`    // of the 95 % interval
	Hi       float64 `json:"hi"`
	Explains string  `json:"explains"`
}

// readings are the figures of a slice by the names of metrics.
func (s Slice) readings() map[string]float64 {
	return map[string]float64{
		"throughput": s.Throughput, "openbao": s.OpenBao, "postgresql": s.PostgreSQL, "cpu": s.OpenBao + s.PostgreSQL,
		"p95": s.P95, "opened": s.Opened, "others": s.Others, "throttled": s.Throttled, "quiet": s.Quiet,
		"stormShare": s.StormShare,
	}
}

// Values are an arm's readings of a metric, in the order of the rounds; none of a metric that does
// not exist, which is then never judged.
func (a ArmOutcome) Values(metric string) []float64 {
	var out []float64
	for _, s := range a.Slices {
		if v, ok := s.readings()[metric]; ok {
			out = append(out, v)
		}
	}
	return out
}

// Ratio is that of a metric of one arm over another, round by round. ok is false with too few
// rounds for an interval.
func Ratio(of, over ArmOutcome, metric string) (stats.Ratio, bool) {
	a, b := over.Values(metric), of.Values(metric)
	n := min(len(a), len(b))
	r, err := stats.EstimateRatio(a[:n], b[:n], alpha)
	if err != nil || n < minRounds || math.IsInf(r.Lo, 0) || math.IsInf(r.Hi, 0) || math.IsNaN(r.Lo) {
		return r, false
	}
	return r, true
}

func (o *Outcome) arm(name string) ArmOutcome {
	i := slices.IndexFunc(o.Arms, func(a ArmOutcome) bool { return a.Name == name })
	if i < 0 {
		return ArmOutcome{} // only in a result that someone edited: nothing to judge
	}
	return o.Arms[i]
}

// judge judges what the experiment has to find again.
func (o *Outcome) judge() {
	for _, x := range o.Experiment.Expect {
		f := Found{Expectation: x}
		var ok bool
		if x.Over != "" {
			var r stats.Ratio
			r, ok = Ratio(o.arm(x.Of), o.arm(x.Over), x.Metric)
			f.Value, f.Lo, f.Hi = r.Ratio, r.Lo, r.Hi
		} else {
			median, interval, err := stats.MedianInterval(o.arm(x.Of).Values(x.Metric), 1-2*alpha)
			ok = err == nil && len(o.arm(x.Of).Slices) >= minRounds
			f.Value, f.Lo, f.Hi = median, interval.Lo, interval.Hi
		}
		what := fmt.Sprintf("%s of %q", x.Metric, x.Of)
		if x.Over != "" {
			what += fmt.Sprintf(" over %q", x.Over)
		}
		switch {
		case !slices.Contains(Metrics(), x.Metric): // only in a result that someone edited
			f.Explains = what + ": there is no such metric"
		case !ok:
			f.Value, f.Lo, f.Hi = 0, 0, 0 // JSON has no NaN
			f.Explains = what + ": too few rounds for an interval"
		case x.AtLeast > 0:
			f.OK = f.Lo >= x.AtLeast
			f.Explains = fmt.Sprintf("%s: %.2f (%.2f to %.2f), expected at least %.2f", what, f.Value, f.Lo, f.Hi, x.AtLeast)
		default:
			f.OK = f.Hi <= x.AtMost
			f.Explains = fmt.Sprintf("%s: %.2f (%.2f to %.2f), expected at most %.2f", what, f.Value, f.Lo, f.Hi, x.AtMost)
		}
		o.Found = append(o.Found, f)
	}
}

// Advice is a change and what it brings.
type Advice struct {
	Change     string
	Costs      string
	Experiment string
	Gain       stats.Ratio  // of the throughput, or of what is left of it in a storm
	CPU        *stats.Ratio // of the CPU per fetch; nil in a storm
	While      string       // the condition that both hold under, such as "while tokens expire"; "" is any time
}

// WorthIt is the Verdict on a change that is worth making.
const WorthIt = "yes"

// Verdict says whether the change is worth making: WorthIt, or why not.
func (a Advice) Verdict() string {
	faster, slower := a.Gain.Lo >= Worth, a.Gain.Hi < 1
	saves, costs := a.CPU != nil && a.CPU.Hi <= 1/Worth, a.CPU != nil && a.CPU.Lo > 1
	switch {
	case slower:
		return "no: it costs throughput"
	case costs:
		return "no: it costs CPU"
	case faster || saves:
		return WorthIt
	default:
		return "no effect shown"
	}
}

// Advice says of each arm with a change what it brings.
func (o *Outcome) Advice() []Advice {
	var out []Advice
	for _, arm := range o.Arms[1:] {
		if arm.Change == "" {
			continue
		}
		a := Advice{Change: arm.Change, Costs: arm.Costs, Experiment: o.Experiment.ID, While: o.Experiment.While()}
		metric := "throughput"
		if o.Experiment.Storm != nil {
			metric = "stormShare"
		} else if cpu, ok := Ratio(arm, o.Arms[0], "cpu"); ok {
			a.CPU = &cpu
		}
		var ok bool
		if a.Gain, ok = Ratio(arm, o.Arms[0], metric); ok {
			out = append(out, a)
		}
	}
	return out
}
