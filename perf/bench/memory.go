package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"
)

// settled is when a run's memory should have stopped growing.
const settled = 2 * time.Minute

// constantRate runs fetch.js as a harness would and prints what k6 took, and how its memory went
// from the second minute on.
func (b *bench) constantRate(ctx context.Context, w io.Writer) error {
	var resident []int64 // bytes, one a second
	u, _, err := b.k6Run(ctx, func(pid int) {
		if n, err := residentBytes(pid); err == nil { // else it has just ended
			resident = append(resident, n)
		}
	}, b.k6, "fetch.js", false, []string{
		"STEAMER_RATE=" + strconv.Itoa(b.rate), "STEAMER_WARMUP=0s", "STEAMER_DURATION=" + b.steady.String(),
		"STEAMER_VUS=" + strconv.Itoa(max(20, b.rate)), "STEAMER_MAX_VUS=" + strconv.Itoa(4*max(50, b.rate)),
	}, "--summary-mode=disabled", "--out=hdr="+b.path("log"))
	if err == nil && u.warned != nil {
		err = fmt.Errorf("fetches failed or were dropped: %s", u.warned)
	}
	if err != nil {
		return err
	}
	fetches := float64(b.rate) * b.steady.Seconds()
	if _, err = fmt.Fprintf(w, "fetch.js at %d/s for %s: k6 took %d MiB at most and %.0f µs of CPU per fetch, "+
		"starting included\n",
		b.rate, b.steady, u.maxRSS>>20, u.cpu.Seconds()*1e6/fetches); err != nil {
		return err
	}
	if rss := int(u.maxRSS >> 20); b.maxRSS > 0 && rss > b.maxRSS {
		return fmt.Errorf("k6 took %d MiB, more than %d", rss, b.maxRSS)
	}
	g, known := growthOf(resident, int(settled.Seconds()))
	if !known {
		return nil
	}
	if _, err = fmt.Fprintf(w, "its memory, medians of minutes: %d MiB in the third, %d to %d MiB from there on "+
		"(%+.1f to %+.1f %%), %d MiB in the last\n", g.first>>20, g.least>>20, g.most>>20, 100*g.down(), 100*g.up(),
		g.last>>20); err != nil {
		return err
	}
	if b.flat > 0 && max(g.up(), -g.down()) > b.flat/100 {
		return fmt.Errorf("k6's memory moved by %+.1f to %+.1f %%, more than %g %%", 100*g.down(), 100*g.up(), b.flat)
	}
	return nil
}

// growth is how resident memory went over the minutes after it should have settled, in bytes.
type growth struct{ first, least, most, last int64 }

func (g growth) up() float64   { return float64(g.most-g.first) / float64(g.first) }
func (g growth) down() float64 { return float64(g.least-g.first) / float64(g.first) }

// growthOf takes samples of one a second; false if there are fewer than two minutes after the
// first skip.
func growthOf(samples []int64, skip int) (growth, bool) {
	const minute = 60
	var medians []int64
	for i := skip; i+minute <= len(samples); i += minute {
		one := slices.Sorted(slices.Values(samples[i : i+minute]))
		medians = append(medians, one[minute/2])
	}
	if len(medians) < 2 {
		return growth{}, false
	}
	return growth{medians[0], slices.Min(medians), slices.Max(medians), medians[len(medians)-1]}, true
}

// everySecond calls do until ended is closed.
func everySecond(ended <-chan struct{}, do func()) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			do()
		case <-ended:
			return
		}
	}
}

// residentBytes is the resident set of a process, see proc(5).
func residentBytes(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(raw)
	if len(fields) < 2 {
		return 0, errors.New("statm has no resident set")
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}
