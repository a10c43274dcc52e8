package report

import (
	"fmt"
	"math"

	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// charts is the data of a topology's plots, as the page's script reads it. All
// times are seconds since the start of the load. A null is a gap.
type charts struct {
	Warmup   float64    `json:"warmup"` // end of the warm-up
	End      float64    `json:"end"`    // end of the measurement
	T        []float64  `json:"t"`
	P50      []*float64 `json:"p50"`
	P95      []*float64 `json:"p95"`
	P99      []*float64 `json:"p99"`
	Rate     []float64  `json:"rate"`
	Failed   []float64  `json:"failed"` // failed, wrong and dropped
	Offered  float64    `json:"offered"`
	Curve    curve      `json:"curve"`
	Res      []float64  `json:"res"` // time axis of CPU and Mem
	CPU      []line     `json:"cpu"`
	Mem      []line     `json:"mem"`
	Events   []mark     `json:"events"`
	Alt      string     `json:"-"` // the latency plot in a sentence
	AltCurve string     `json:"-"`
	AltCPU   string     `json:"-"`
	Bars     []costBar  `json:"-"`
}

// curve is latency in ms by percentile; X is 1/(1-quantile), for a log axis.
type curve struct {
	X        []float64  `json:"x"`
	Actual   []*float64 `json:"actual"`
	Intended []*float64 `json:"intended"`
}

type line struct {
	Label     string     `json:"label"`
	Component string     `json:"component"`
	Role      string     `json:"role"`
	Limit     float64    `json:"limit,omitempty"`
	V         []*float64 `json:"v"`
}

type mark struct {
	T       float64 `json:"t"`
	Kind    string  `json:"kind"`
	Detail  string  `json:"detail"`
	Planned bool    `json:"planned"`
}

// costBar is a component's CPU per fetch, with its share of the largest in %.
type costBar struct {
	Label, Value string
	Class        string
	Width        float64
}

// newCharts returns nil when there was no load, since then nothing has a time axis.
func newCharts(t *result.Topology) *charts {
	l := t.Load
	if l == nil {
		return nil
	}
	c := &charts{Warmup: l.WarmupSeconds, End: l.WarmupSeconds + l.Spent(), Offered: l.OfferedRate}
	c.latencies(l.Series)
	c.curve(l)
	c.resources(t)
	for _, e := range t.Events {
		if at := e.At.Sub(l.Start).Seconds(); at >= -margin && at <= c.End+margin {
			c.Events = append(c.Events, mark{at, e.Kind, e.Detail, e.Planned})
		}
	}
	for i, st := range l.Stages {
		if before := i > 0 && l.Stages[i-1].Excursion; st.Excursion != before {
			detail := "excursion ends"
			if st.Excursion {
				detail = "excursion begins"
			}
			c.Events = append(c.Events, mark{st.At, "phase", detail, true})
		}
	}
	c.Alt = fmt.Sprintf("Latency over time, from the intended start. While measuring, the median was %s, p95 %s, p99 %s and the largest %s.",
		render.Milliseconds(l.Intended.P50), render.Milliseconds(l.Intended.P95), render.Milliseconds(l.Intended.P99),
		render.Milliseconds(l.Intended.Max))
	c.AltCurve = fmt.Sprintf("Latency by percentile. From the actual start: p50 %s, p99 %s. From the intended start: p50 %s, p99 %s.",
		render.Milliseconds(l.Actual.P50), render.Milliseconds(l.Actual.P99), render.Milliseconds(l.Intended.P50),
		render.Milliseconds(l.Intended.P99))
	if l.Intended.Count == 0 {
		c.Alt = "Latency over time, from the intended start. No fetch was measured."
		c.AltCurve = "Latency by percentile. No fetch was measured."
	}
	c.AltCPU = fmt.Sprintf("CPU and memory of %s over the same time; the table below has the figures.",
		render.Plural(len(t.Resources), "container"))
	c.costs(t)
	return c
}

// margin is how many seconds before and after the load are drawn.
const margin = 5.0

// latencies fills the time series. The second in which the phase changes has
// two intervals; they become one point, with the quantiles of the larger.
func (c *charts) latencies(series []result.Interval) {
	weight := int64(0)
	for _, iv := range series {
		n := len(c.T)
		if n > 0 && c.T[n-1] == iv.Offset {
			c.Rate[n-1] += float64(iv.Fetches)
			c.Failed[n-1] += bad(iv)
			if iv.Fetches > weight {
				c.P50[n-1], c.P95[n-1], c.P99[n-1] = known(iv.P50), known(iv.P95), known(iv.P99)
				weight = iv.Fetches
			}
			continue
		}
		weight = iv.Fetches
		c.T = append(c.T, iv.Offset)
		c.P50, c.P95, c.P99 = append(c.P50, known(iv.P50)), append(c.P95, known(iv.P95)), append(c.P99, known(iv.P99))
		c.Rate, c.Failed = append(c.Rate, float64(iv.Fetches)), append(c.Failed, bad(iv))
	}
}

func bad(iv result.Interval) float64 { return float64(iv.Failed + iv.Wrong + iv.Dropped) }

// known turns 0, which means that nothing was recorded, into a gap.
func known(v float64) *float64 {
	if v == 0 {
		return nil
	}
	v = math.Round(v*1000) / 1000
	return &v
}

// curve samples the histograms so densely that the curve looks smooth, and no
// further than to the quantile that one fetch decides.
func (c *charts) curve(l *result.Load) {
	actual, errA := hdr.Decode(l.Actual.HDR)
	intended, errI := hdr.Decode(l.Intended.HDR)
	if errA != nil && errI != nil {
		return
	}
	n := float64(max(l.Actual.Count, l.Intended.Count))
	const perDecade = 24
	for i := 0; ; i++ {
		x := math.Pow(10, float64(i)/perDecade)
		if x > n {
			break
		}
		p := 100 * (1 - 1/x)
		c.Curve.X = append(c.Curve.X, x)
		var a, b *float64
		if errA == nil {
			a = known(hdr.Milliseconds(actual.ValueAtPercentile(p)))
		}
		if errI == nil {
			b = known(hdr.Milliseconds(intended.ValueAtPercentile(p)))
		}
		c.Curve.Actual, c.Curve.Intended = append(c.Curve.Actual, a), append(c.Curve.Intended, b)
	}
}

// maxGap is how many seconds may lie between two readings without a gap in the
// line; they come a little more than a second apart.
const maxGap = 3

// resources puts the samples of all containers on one grid of seconds.
func (c *charts) resources(t *result.Topology) {
	if len(t.Resources) == 0 {
		return
	}
	from, to := -margin, math.Ceil(c.End+margin)
	n := int(to-from) + 1
	if n < 1 || n > 200_000 {
		return // a load that never ended has no picture
	}
	for i := range n {
		c.Res = append(c.Res, from+float64(i))
	}
	for i := range t.Resources {
		s := &t.Resources[i]
		name := s.Name
		if s.Role != "" {
			name += " (" + s.Role + ")"
		}
		cpu := line{Label: name, Component: s.Component, Role: s.Role, Limit: s.CPULimit, V: make([]*float64, n)}
		mem := line{Label: name, Component: s.Component, Role: s.Role, Limit: s.MemoryLimit, V: make([]*float64, n)}
		last := -maxGap - 1
		for _, x := range s.Samples {
			at := int(math.Floor(x.At.Sub(t.Load.Start).Seconds() - from))
			u, m := math.Round(x.CPUCores*1e4)/1e4, math.Round(x.MemoryMiB*10)/10
			first := at
			if at-last <= maxGap {
				first = last + 1 // a reading stands for the span since the one before
			}
			for i := max(first, 0); i <= min(at, n-1); i++ {
				cpu.V[i], mem.V[i] = &u, &m
			}
			last = at
		}
		c.CPU, c.Mem = append(c.CPU, cpu), append(c.Mem, mem)
	}
}

func (c *charts) costs(t *result.Topology) {
	most := 0.0
	values := map[string]float64{}
	for _, name := range []string{"openbao", "postgresql"} {
		if v, ok := t.CPUPerFetch(name); ok {
			values[name], most = v, max(most, v)
		}
	}
	for _, b := range []struct{ id, label, class string }{
		{"openbao", "OpenBao", "bao"},
		{"postgresql", "PostgreSQL", "pg"},
	} {
		if v, ok := values[b.id]; ok && most > 0 {
			c.Bars = append(c.Bars, costBar{b.label, render.Milliseconds(v), b.class, 100 * v / most})
		}
	}
}
