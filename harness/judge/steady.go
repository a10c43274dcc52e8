package judge

import (
	"fmt"
	"math"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// driftFloor is a change in ms that is never called drift: on a shared machine
// the scheduler alone moves medians of a few milliseconds by that much.
const driftFloor = 2.0

// The search for a trend. A measurement is cut into equal blocks, of which each gives one value:
// so long that neighbours hardly depend on each other, and so many that chance rarely orders them
// all.
const (
	leastBlock  = 10.0 // seconds
	leastBlocks = 6    // P of all six in order is 2/720
	mostBlocks  = 12   // more say little more, and depend on each other more
	// six blocks have to be in order without exception or tie (2/720), of twelve about five sixths
	// of the pairs
	maxTrendP = 0.003
	tailDrift = 1.333 // a p95 may move by so much more than a median: it rests on a twentieth of the fetches
)

// steady asks whether the measurement has one latency. Where the rate moves, latency does so too,
// and nothing is asked.
func (v Validity) steady(s *circumstances) []result.Check {
	l := s.topology.Load
	if len(l.Stages) > 0 {
		return nil
	}
	return []result.Check{s.steadiness(v.drift(l)), s.steadiness(v.trend(l))}
}

// steadiness names the owner of a miss of drift or trend: a latency that falls says that the
// warm-up was too short.
func (s *circumstances) steadiness(c result.Check, falls bool) result.Check {
	if c.Verdict != result.Pass && falls {
		return owned(result.OwnerMachine, c)
	}
	return s.because(c)
}

// drift compares the halves of the measurement: a steady state is one number,
// anything else is not.
func (v Validity) drift(l *result.Load) (c result.Check, falls bool) {
	var sum, n [2]float64
	for _, iv := range l.Series {
		if iv.Phase == "measure" && iv.Fetches > 0 && iv.P50 > 0 {
			half := 0
			if iv.Offset-l.WarmupSeconds >= l.MeasuredSeconds/2 {
				half = 1
			}
			sum[half] += iv.P50 * float64(iv.Fetches)
			n[half] += float64(iv.Fetches)
		}
	}
	if n[0] == 0 || n[1] == 0 {
		return check("valid/steady", "median latency, second half against first", "unknown",
			fmt.Sprintf("within a factor of %s", num(v.MaxDrift)), false,
			"one half of the measurement has no fetches"), false
	}
	a, b := sum[0]/n[0], sum[1]/n[1]
	ratio := v.moved(a, b)
	return check("valid/steady", "median latency, second half against first", fmt.Sprintf("%s to %s ms", num(a), num(b)),
		fmt.Sprintf("within a factor of %s", num(v.MaxDrift)), ratio <= v.MaxDrift || math.Abs(a-b) <= driftFloor,
		fmt.Sprintf("the median moved from %s to %s ms while the load was constant", num(a), num(b))), b < a
}

// moved is the factor between two latencies that counts.
func (v Validity) moved(from, to float64) float64 {
	if v.FallMayBe {
		return to / from
	}
	return math.Max(from/to, to/from)
}

// trend looks for a latency that rises or falls throughout. A block's value is the median of its
// seconds' p50, and of their p95. There is a trend where the blocks are in an order that chance
// has three times in a thousand (Mann-Kendall), and where the line through their logarithms
// (Theil-Sen) moves from the first block to the last by more than MaxDrift and by more than
// driftFloor; of a p95 by a third and twice as much more. Both are needed: a long run makes small
// moves significant, and noise makes large ones.
func (v Validity) trend(l *result.Load) (c result.Check, falls bool) {
	title, limit := "trend of the latency from beginning to end", fmt.Sprintf("p50 within a factor of %s, p95 of %s",
		num(v.MaxDrift), num(v.MaxDrift*tailDrift))
	unknown := func(why string) (result.Check, bool) {
		c := check("valid/trend", title, "not looked for: "+why, limit, true, "")
		c.Informational = true
		return c, false
	}
	n := min(int(l.MeasuredSeconds/leastBlock), mostBlocks)
	if n < leastBlocks {
		return unknown(fmt.Sprintf("%s s are too short", num(l.MeasuredSeconds)))
	}
	moved, reason := "", ""
	for _, q := range []struct {
		name       string
		of         func(result.Interval) float64
		max, floor float64
	}{
		{"p50", func(iv result.Interval) float64 { return iv.P50 }, v.MaxDrift, driftFloor},
		{"p95", func(iv result.Interval) float64 { return iv.P95 }, v.MaxDrift * tailDrift, 2 * driftFloor},
	} {
		values, ok := blocks(l, n, q.of)
		if !ok {
			continue
		}
		from, to, p := fitted(values)
		if moved != "" {
			moved += ", "
		}
		moved += fmt.Sprintf("%s %s to %s ms", q.name, num(from), num(to))
		if p <= maxTrendP && v.moved(from, to) > q.max && math.Abs(to-from) > q.floor && reason == "" {
			falls = to < from
			reason = fmt.Sprintf("the %s went from %s to %s ms, from block to block, while the load was constant", q.name,
				num(from), num(to))
		}
	}
	if moved == "" {
		return unknown(fmt.Sprintf("of the %d parts of the measurement one has no fetches", n))
	}
	return check("valid/trend", title, moved, limit, reason == "", reason), falls
}

// blocks cuts what was measured into n parts of equal length and returns the median of each part's
// seconds; ok is false where one has none.
func blocks(l *result.Load, n int, of func(result.Interval) float64) (values []float64, ok bool) {
	parts := make([][]float64, n)
	for _, iv := range l.Series {
		if iv.Phase != "measure" || iv.Fetches == 0 || of(iv) <= 0 {
			continue
		}
		at := (iv.Offset - l.WarmupSeconds) / l.MeasuredSeconds
		i := max(0, min(n-1, int(at*float64(n)))) // the seconds of the log are not aligned with the schedule
		parts[i] = append(parts[i], of(iv))
	}
	for _, part := range parts {
		if len(part) == 0 {
			return nil, false
		}
		values = append(values, stats.Median(part))
	}
	return values, true
}

// fitted is where a straight line through the logarithms of the values begins and ends, in the
// values' unit, and the probability of so much order without a trend.
func fitted(values []float64) (from, to, p float64) {
	logs := make([]float64, len(values))
	for i, v := range values {
		logs[i] = math.Log(v)
	}
	t := stats.TrendOf(logs)
	middle, reach := stats.Median(logs), t.Slope*float64(len(values)-1)/2
	return math.Exp(middle - reach), math.Exp(middle + reach), t.P
}
