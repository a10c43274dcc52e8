// Command bench compares the extension with the same fetch written in plain k6 JavaScript, in
// client CPU per fetch.
//
// Both run as processes of their own, in turns (ABBA), against one real OpenBao on a real
// PostgreSQL, which it starts. A process's cost is the CPU time the kernel accounted to it, user
// and system; what starting k6 costs is taken off by running each script once more with few
// fetches. The table has one line per case and the ratio of the medians. Then fetch.js runs at a
// constant rate, for k6's memory.
//
//	go build -o k6 ./cmd/k6 && STEAMER_BAO=/path/to/bao go run ./bench -k6 ./k6
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/perf/internal/baotest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the command line.
type settings struct {
	k6         string
	scripts    string
	rounds     int
	iterations int
	vus        int
	atLeast    float64
	steady     time.Duration
	rate       int
	maxRSS     int
	flat       float64
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&s.k6, "k6", "", "k6 with the extension (cmd/k6); required")
	f.StringVar(&s.scripts, "scripts", "scripts", "directory with closed.js and plain.js")
	f.IntVar(&s.rounds, "rounds", 4, "runs of each script, in the order ABBA; even; 0 leaves the comparison out")
	f.IntVar(&s.iterations, "fetches", 4000, "fetches per run")
	f.IntVar(&s.vus, "vus", 8, "VUs")
	f.Float64Var(&s.atLeast, "at-least", 0, "fail if the ratio of any case is below this; 0 only reports")
	f.DurationVar(&s.steady, "steady", 30*time.Second, "length of the run of fetch.js at a constant rate; 0 leaves it out")
	f.IntVar(&s.rate, "rate", 200, "fetches per second of that run")
	f.IntVar(&s.maxRSS, "max-rss", 0, "fail if k6 takes more MiB than this in that run; 0 only reports")
	f.Float64Var(&s.flat, "flat", 0, "fail if k6's memory moves by more % after the second minute of that run; 0 only reports")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch {
	case s.k6 == "":
		return s, errors.New("-k6 is missing: build it with go build -o k6 ./cmd/k6")
	case s.rounds < 0 || s.rounds%2 != 0:
		return s, fmt.Errorf("-rounds %d: want an even number, or 0", s.rounds)
	case s.rate < 1 || s.steady < 0 || s.flat < 0:
		return s, fmt.Errorf("-rate %d -steady %s -flat %g: want a rate of 1 or more, and nothing below 0", s.rate, s.steady,
			s.flat)
	case s.iterations < 10*s.vus || s.vus < 1:
		return s, fmt.Errorf("-fetches %d -vus %d: want at least ten fetches for each VU", s.iterations, s.vus)
	}
	return s, nil
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	var options []baotest.Option
	if s.rounds == 0 { // k6's memory is the question, and VUs that wait for a server that gets slower are no answer
		options = append(options, baotest.BatchTokens())
	}
	server, err := baotest.Start(ctx, 20, 4, options...)
	if err != nil {
		return err
	}
	defer server.Stop()
	b := bench{settings: s, fixture: server.Fixture}
	if b.dir, err = os.MkdirTemp("", "steamer-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.writeFixture(); err != nil {
		return err
	}
	if s.rounds == 0 {
		return b.constantRate(ctx, os.Stdout)
	}
	var results []comparison
	for _, reuse := range []bool{false, true} {
		c, err := b.compare(ctx, reuse)
		if err != nil {
			return err
		}
		results = append(results, c)
	}
	if err := report(os.Stdout, results, s); err != nil || s.steady == 0 {
		return err
	}
	return b.constantRate(ctx, os.Stdout)
}
