package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// The tables go between these lines of a Markdown file.
const (
	markBegin = "<!-- make bench-generator: begin -->"
	markEnd   = "<!-- make bench-generator: end -->"
)

// report prints the tables, writes them into the Markdown file if one is named, and fails if a
// ratio is below what was asked for.
func report(w io.Writer, all []comparison, s settings) error {
	var out bytes.Buffer
	worst := 0.0
	for i, c := range all {
		fmt.Fprintf(&out, "**%s.** %d runs each of %d fetches by %d connections; median (least to most).\n\n", upper(c.name),
			s.rounds, s.fetches, s.vus)
		out.WriteString("| generator | checks | client CPU per fetch | against k6/x/openbao | fetches/s of one core | closed loop | highest honest rate | its CPU there | RSS |\n")
		out.WriteString("|---|---|---|---|---|---|---|---|---|\n")
		base := c.series[0]
		for _, g := range c.series {
			if len(g.cost) == 0 || len(base.cost) == 0 {
				continue // cut off before its first run
			}
			fmt.Fprintf(&out, "| %s | %s | %s | %s | %.0f | %.0f/s | %s | %s | %d MiB |\n", g.name, g.checks, spread(g.cost),
				ratio(g.cost, base.cost),
				float64(time.Second)/float64(median(g.cost)), median(g.through), rates(g.honest), shares(g.honest), g.rss>>20)
		}
		out.WriteString("\n")
		if len(c.series[1].cost) == 0 || len(base.cost) == 0 {
			continue
		}
		if r := float64(median(c.series[1].cost)) / float64(median(base.cost)); i == 0 || r < worst {
			worst = r
		}
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return err
	}
	if s.markdown != "" {
		if err := writeMarked(s.markdown, out.String()); err != nil {
			return err
		}
	}
	if worst < s.atLeast {
		return fmt.Errorf("plain k6 costs %.2f times the extension, less than %.2f", worst, s.atLeast)
	}
	return nil
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// spread renders the median with the extremes.
func spread(d []time.Duration) string {
	return fmt.Sprintf("%.0f µs (%.0f to %.0f)", micros(median(d)), micros(slices.Min(d)), micros(slices.Max(d)))
}

// ratio is that of two series, run by run, since both ran in the same round.
func ratio(of, to []time.Duration) string {
	var r []float64
	for i := range min(len(of), len(to)) {
		r = append(r, float64(of[i])/float64(to[i]))
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", median(r), slices.Min(r), slices.Max(r))
}

// rates renders the outcomes of the searches, the least and the most.
func rates(all []honest) string {
	if len(all) == 0 {
		return "no open loop"
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

// readMarked returns the file's text if it has both marks, in order.
func readMarked(path string) (string, error) {
	data, err := os.ReadFile(path) // #nosec G304 -- the developer names the file
	if err != nil {
		return "", err
	}
	text := string(data)
	if b, e := strings.Index(text, markBegin), strings.Index(text, markEnd); b < 0 || e < b {
		return "", fmt.Errorf("%s: it lacks the lines %q and %q", path, markBegin, markEnd)
	}
	return text, nil
}

// writeMarked replaces what is between the marks.
func writeMarked(path, tables string) error {
	text, err := readMarked(path)
	if err != nil {
		return err
	}
	before, _, _ := strings.Cut(text, markBegin)
	_, after, _ := strings.Cut(text, markEnd)
	return os.WriteFile(path, []byte(before+markBegin+"\n\n"+tables+markEnd+after), 0o644) // #nosec G306 -- a document
}
