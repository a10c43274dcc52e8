package capacity

import (
	"cmp"
	"fmt"
	"slices"
)

// Suspect is a resource with the evidence for and against its being what limits.
type Suspect struct {
	Resource  string  `json:"resource"`
	Use       float64 `json:"use"`       // of what there is, 0 to 1
	Saturated bool    `json:"saturated"` // beyond the threshold named in Evidence
	Evidence  string  `json:"evidence"`
}

// Thresholds of saturation. GitLab's own page asks to look into more than 25 % of throttled
// periods; the rest is where queues grow: at 85 % use a queue with random arrivals is more than
// five times as long as its server is busy (M/M/1: use/(1-use)).
const (
	maxUse       = 0.85
	maxThrottled = 0.25
	maxFull      = 0.5 // of the samples found the pool without a free connection
)

// saturation ranks what could limit the server at a point, the likeliest first.
func saturation(p Point, hostCPUs int) []Suspect {
	var all []Suspect
	for _, c := range []struct {
		name string
		Component
	}{{"OpenBao's CPU", p.OpenBao}, {"PostgreSQL's CPU", p.PostgreSQL}} {
		given, of := c.Limit, fmt.Sprintf("its limit of %g", c.Limit)
		if given == 0 {
			given, of = float64(hostCPUs), fmt.Sprintf("the host's %d, no limit set", hostCPUs)
		}
		if c.Unknown {
			all = append(all, Suspect{Resource: c.name, Evidence: "not observed throughout"})
			continue
		}
		s := Suspect{Resource: c.name, Use: c.Busiest / given}
		s.Saturated = s.Use >= maxUse || c.Throttled >= maxThrottled
		s.Evidence = fmt.Sprintf("%.2f of %s cores (threshold %.0f %%)", c.Busiest, of, 100*maxUse)
		if c.Limit > 0 {
			s.Evidence += fmt.Sprintf(", throttled in %.0f %% of its periods (threshold %.0f %%)", 100*c.Throttled,
				100*maxThrottled)
		}
		all = append(all, s)
	}
	if u := p.Pool; u != nil && u.Limit > 0 && u.Samples > 0 {
		all = append(all, Suspect{
			Resource: "OpenBao's pool of database connections", Use: u.Busy / float64(u.Limit),
			Saturated: u.FullShare >= maxFull,
			Evidence: fmt.Sprintf("%.1f of %d connections busy on average; all of them in %.0f %% of %d samples (threshold %.0f %%)",
				u.Busy, u.Limit, 100*u.FullShare, u.Samples, 100*maxFull),
		})
	}
	const host = "the host's CPUs"
	total, others := p.OpenBao.Cores+p.PostgreSQL.Cores+p.Generator, "an unknown part"
	if p.Others != nil {
		total += *p.Others
		others = fmt.Sprintf("%.2f", *p.Others)
	}
	all = append(all, Suspect{
		Resource: host, Use: total / float64(hostCPUs), Saturated: total/float64(hostCPUs) >= maxUse,
		Evidence: fmt.Sprintf("OpenBao %.2f, PostgreSQL %.2f, the generator %.2f and everything else %s of %d cores (threshold %.0f %%)",
			p.OpenBao.Cores, p.PostgreSQL.Cores, p.Generator, others, hostCPUs, 100*maxUse),
	})
	slices.SortStableFunc(all, func(a, b Suspect) int {
		switch {
		case a.Saturated != b.Saturated:
			return map[bool]int{true: -1, false: 1}[a.Saturated]
		case a.Saturated && a.Resource == host: // what uses the host up says more
			return 1
		case a.Saturated && b.Resource == host:
			return -1
		}
		return cmp.Compare(b.Use, a.Use)
	})
	return all
}

// knee is the rate at which the p95 begins to rise steeply: the point of the measured curve that
// lies farthest below the straight line from its first to its last point, both axes scaled to 0..1
// (Satopää et al., "Finding a Kneedle in a Haystack", 2011). ok is false with fewer than four
// rates, or when the curve has no bend.
func knee(points []Point) (rate float64, ok bool) {
	curve := Curve(points)
	if len(curve) < 4 {
		return 0, false
	}
	first, last := curve[0], curve[len(curve)-1]
	width, height := last.Rate-first.Rate, last.P95-first.P95
	if width <= 0 || height <= 0 {
		return 0, false
	}
	best := 0.0
	for _, p := range curve {
		below := (p.Rate-first.Rate)/width - (p.P95-first.P95)/height
		if below > best {
			best, rate, ok = below, p.Rate, true
		}
	}
	return rate, ok
}

// Curve is one point for each rate, the median by p95 where a rate was run more often, in the
// order of the rates. Cut-off and disturbed runs are left out.
func Curve(points []Point) []Point {
	byRate := map[float64][]Point{}
	var rates []float64
	for _, p := range points {
		if p.Partial || p.Outcome == outcomeDisturbed {
			continue
		}
		if len(byRate[p.Rate]) == 0 {
			rates = append(rates, p.Rate)
		}
		byRate[p.Rate] = append(byRate[p.Rate], p)
	}
	slices.Sort(rates)
	var out []Point
	for _, rate := range rates {
		runs := byRate[rate]
		slices.SortStableFunc(runs, func(a, b Point) int { return cmp.Compare(a.P95, b.P95) })
		out = append(out, runs[(len(runs)-1)/2])
	}
	return out
}
