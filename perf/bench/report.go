package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// report prints the table and fails if a ratio is below what was asked for.
func report(w io.Writer, results []comparison, s settings) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "client CPU per fetch, %d fetches, %d VUs, %d runs each\n", s.iterations, s.vus, s.rounds)
	fmt.Fprintln(tw, "case\tk6/x/openbao\tplain k6/http\tratio\tper core and second\tRSS")
	worst := 0.0
	for i, c := range results {
		ext, plain := median(c.extension), median(c.plain)
		ratio := float64(plain) / float64(ext)
		if i == 0 || ratio < worst {
			worst = ratio
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%.2f\t%.0f / %.0f\t%d / %d MiB\n", c.name, spread(c.extension), spread(c.plain), ratio,
			float64(time.Second)/float64(ext), float64(time.Second)/float64(plain), c.extRSS>>20, c.plainRSS>>20)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if worst < s.atLeast {
		return fmt.Errorf("ratio %.2f is below %.2f", worst, s.atLeast)
	}
	return nil
}

// spread renders the median with the extremes.
func spread(d []time.Duration) string {
	return fmt.Sprintf("%.1f µs (%.1f–%.1f)", micros(median(d)), micros(slices.Min(d)), micros(slices.Max(d)))
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
