package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// report prints a table for each case and fails if a ratio is below what was asked for.
func report(w io.Writer, all []comparison, s settings) error {
	var out bytes.Buffer
	worst := s.atLeast
	for _, c := range all {
		fmt.Fprintf(&out, "**%s.** %d runs each of %d fetches by %d connections; median (least to most)", c.name, s.rounds,
			s.fetches, s.vus)
		if s.rounds >= 6 {
			out.WriteString(", of ratios with a 95 % interval")
		}
		out.WriteString(".\n\n")
		out.WriteString("| generator | checks | client CPU per fetch | against k6/x/openbao | fetches/s of one core " +
			"| closed loop | highest honest rate | its CPU there | RSS |\n|---|---|---|---|---|---|---|---|---|\n")
		base := c.series[0]
		for _, g := range c.series {
			if len(g.cost) == 0 || len(base.cost) == 0 {
				continue // interrupted before its first run
			}
			fmt.Fprintf(&out, "| %s | %s | %s | %s | %.0f | %.0f/s | %s | %s | %d MiB |\n", g.name, g.checks, spread(g.cost),
				ratio(g.cost, base.cost), float64(time.Second)/float64(median(g.cost)), median(g.through), rates(g.honest),
				shares(g.honest), g.rss>>20)
			if g.name == plainK6 {
				worst = min(worst, float64(median(g.cost))/float64(median(base.cost)))
			}
		}
		out.WriteString("\n")
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return err
	}
	if worst < s.atLeast {
		return fmt.Errorf("plain k6 costs %.2f times the extension, less than %.2f", worst, s.atLeast)
	}
	return nil
}

// spread renders the median with the extremes.
func spread(d []time.Duration) string {
	return fmt.Sprintf("%.0f µs (%.0f to %.0f)", micros(median(d)), micros(slices.Min(d)), micros(slices.Max(d)))
}

// ratio is that of two series, run by run, since both ran in the same round: the median with its
// confidence interval.
func ratio(of, to []time.Duration) string {
	var r []float64
	for i := range min(len(of), len(to)) {
		r = append(r, float64(of[i])/float64(to[i]))
	}
	low, high := interval(r)
	return fmt.Sprintf("%.2f (%.2f to %.2f)", median(r), low, high)
}

// interval is the smallest interval between two of the values that holds the median of their
// distribution with 95 % confidence, whatever the distribution. Fewer than six values do not
// suffice: it is then the least and the most.
func interval(values []float64) (low, high float64) {
	s := slices.Sorted(slices.Values(values))
	n, k := len(s), 0
	// at is the probability that exactly k values are below the median, below that at most k are.
	at := math.Pow(0.5, float64(n))
	for below := at; 2*below <= 0.05; below += at {
		k++
		at *= float64(n-k+1) / float64(k)
	}
	k = max(0, k-1)
	return s[k], s[n-1-k]
}

// rates renders the outcomes of the searches, the least and the most.
func rates(all []honest) string {
	if len(all) == 0 {
		return "–"
	}
	var r []int
	for _, h := range all {
		r = append(r, h.rate)
	}
	if lo, hi := slices.Min(r), slices.Max(r); lo != hi {
		return fmt.Sprintf("%d to %d/s", lo, hi)
	}
	return fmt.Sprintf("%d/s", r[0])
}

func shares(all []honest) string {
	if len(all) == 0 {
		return "–"
	}
	var c []float64
	for _, h := range all {
		c = append(c, h.cpuShare)
	}
	return fmt.Sprintf("%.2f core", median(c))
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func median[T time.Duration | float64](values []T) T {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
