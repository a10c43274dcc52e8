// Command bench measures what load generation costs: the client's CPU per fetch with the
// extension, with the same fetch in plain k6 JavaScript and with wrk, the highest rate at which
// each keeps its schedule, and k6's memory at a constant rate.
//
// All send GitLab Runner's inline fetch to one real OpenBao, which it starts, as processes of
// their own and in turns (ABC CBA). A process's cost is the CPU time the kernel accounted to it,
// user and system. One more run with few fetches measures what starting costs, which is
// subtracted.
//
//	go build -o k6 ./cmd/k6 && STEAMER_BAO=/path/to/bao go run ./bench -k6 ./k6
//
// The table is in Markdown. -against compares builds of k6, for example two versions of the
// extension.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/perf/internal/baotest"
)

// Exit codes, as steamer's.
const (
	exitFail        = 1
	exitInvalid     = 3
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	var input inputError
	switch {
	case ctx.Err() != nil:
		os.Exit(exitInterrupted)
	case errors.As(err, &input):
		os.Exit(exitInvalid)
	}
	os.Exit(exitFail)
}

// inputError is bad input, found before anything was started.
type inputError struct{ error }

func invalid(format string, args ...any) error { return inputError{fmt.Errorf(format, args...)} }

// settings are the command line.
type settings struct {
	k6       string
	against  []string // other builds of k6
	scripts  string
	wrk      string // "" where there is none
	tls      bool
	rounds   int
	fetches  int
	vus      int
	atLeast  float64
	searches int
	trial    time.Duration
	maxRate  int
	steady   time.Duration
	rate     int
	maxRSS   int
	flat     float64
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&s.k6, "k6", "", "k6 with the extension (cmd/k6); required")
	against := f.String("against", "",
		"other builds of k6 with the extension, comma-separated; only builds are compared then")
	f.StringVar(&s.scripts, "scripts", "scripts", "directory with closed.js, plain.js and fetch.js")
	f.BoolVar(&s.tls, "tls", false, "fetch over TLS, with HTTP/2 where the generator has it")
	f.IntVar(&s.rounds, "rounds", 6,
		"runs of each generator; even; 6 or more for intervals; 0 leaves the comparison out")
	f.IntVar(&s.fetches, "fetches", 4000, "fetches per run")
	f.IntVar(&s.vus, "vus", 8, "virtual users or connections")
	f.Float64Var(&s.atLeast, "at-least", 0,
		"fail if plain k6's cost is less than this many times the extension's; 0 only reports")
	f.IntVar(&s.searches, "searches", 0, "searches for each generator's highest rate")
	f.DurationVar(&s.trial, "trial", 5*time.Second, "length of one run of a search, 2s to 1m")
	f.IntVar(&s.maxRate, "max-rate", 12800, "where a search stops, in fetches per second")
	f.DurationVar(&s.steady, "steady", 30*time.Second, "length of the run of fetch.js at a constant rate; 0 leaves it out")
	f.IntVar(&s.rate, "rate", 200, "fetches per second of that run")
	f.IntVar(&s.maxRSS, "max-rss", 0, "fail if k6 takes more MiB than this in that run; 0 only reports")
	f.Float64Var(&s.flat, "flat", 0,
		"fail if k6's memory moves by more % after the second minute of that run; 0 only reports")
	if err := f.Parse(args); err != nil {
		return s, inputError{err}
	}
	s.against = strings.FieldsFunc(*against, func(r rune) bool { return r == ',' })
	s.wrk, _ = exec.LookPath("wrk")
	return s, s.check()
}

func (s *settings) check() error {
	for _, name := range append([]string{s.k6, filepath.Join(s.scripts, "plain.js")}, s.against...) {
		if _, err := os.Stat(name); err != nil {
			return invalid("-k6, -against or -scripts: %w: build k6 with go build ./cmd/k6", err)
		}
	}
	switch {
	case s.rounds < 0 || s.rounds%2 != 0:
		return invalid("-rounds %d: want an even number, or 0", s.rounds)
	case s.vus < 1 || s.fetches < 20*s.vus:
		return invalid("-fetches %d -vus %d: want at least twenty fetches for each VU", s.fetches, s.vus)
	case s.searches < 0 || s.trial < 2*time.Second || s.trial > time.Minute || s.maxRate < 2*firstRate:
		return invalid("-searches %d -trial %s -max-rate %d: want 0 or more, 2s to 1m, and at least %d", s.searches,
			s.trial, s.maxRate, 2*firstRate)
	case s.rate < 1 || s.steady < 0 || s.flat < 0:
		return invalid("-rate %d -steady %s -flat %g: want a rate of 1 or more, and nothing below 0", s.rate, s.steady,
			s.flat)
	}
	if _, err := baotest.Binary(); err != nil {
		return inputError{err}
	}
	return nil
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	var options []baotest.Option
	if s.tls {
		options = append(options, baotest.TLS())
	}
	if s.rounds == 0 { // a server that gets slower would keep more VUs waiting, which takes memory
		options = append(options, baotest.BatchTokens())
	}
	server, err := baotest.Start(ctx, 20, 4, options...)
	if err != nil {
		return err
	}
	defer server.Stop()
	b := &bench{settings: s, fixture: server.Fixture}
	if b.dir, err = os.MkdirTemp("", "steamer-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.writeFiles(); err != nil {
		return err
	}
	if s.rounds > 0 {
		results, err := b.compare(ctx)
		if err := errors.Join(err, report(os.Stdout, results, s)); err != nil { // what was measured is shown
			return err
		}
	}
	if s.steady == 0 {
		return nil
	}
	return b.constantRate(ctx, os.Stdout)
}
