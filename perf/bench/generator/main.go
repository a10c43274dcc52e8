// Command generator compares load generators in what one fetch costs the client, and in the highest
// rate at which each still keeps its schedule: our extension, plain k6 JavaScript, a vegeta attack
// (the engine of HashiCorp's and OpenBao's own benchmark programs) and wrk as the ceiling.
//
// All send GitLab Runner's inline fetch to one real OpenBao on a real PostgreSQL, which it starts,
// as processes of their own and in turns. A process's cost is the CPU time the kernel accounted to
// it, user and system; what starting it costs is taken off by running it once more with few
// fetches. k6 and vegeta check answers, wrk checks none.
//
//	STEAMER_BAO=/path/to/bao go run . -k6 /path/to/k6 -scripts ../../scripts
//
// It is a module of its own so that vegeta's dependencies stay out of the extension's.
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
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/perf/internal/baotest"
)

// Exit codes of this command, as steamer's.
const (
	exitFail        = 1
	exitInvalid     = 3
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := run
	args := os.Args[1:]
	if len(args) > 0 && args[0] == attackCommand {
		do, args = attack, args[1:]
	}
	err := do(ctx, args)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "generator:", err)
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
	scripts  string
	wrk      string // "" where there is none
	rounds   int
	fetches  int
	vus      int
	searches int
	trial    time.Duration
	maxRate  int
	atLeast  float64
	markdown string
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("generator", flag.ContinueOnError)
	f.StringVar(&s.k6, "k6", "", "k6 with the extension (cmd/k6); required")
	f.StringVar(&s.scripts, "scripts", "../../scripts", "directory with closed.js, plain.js and fetch.js")
	f.IntVar(&s.rounds, "rounds", 4, "runs of each generator, 2 or more, in the order ABCD DCBA …")
	f.IntVar(&s.fetches, "fetches", 4000, "fetches per run")
	f.IntVar(&s.vus, "vus", 8, "virtual users, workers or connections")
	f.IntVar(&s.searches, "searches", 2, "searches for the highest rate, for each generator; 0 leaves them out")
	f.DurationVar(&s.trial, "trial", 5*time.Second, "length of one run of a search, 2s to 1m")
	f.IntVar(&s.maxRate, "max-rate", 12800, "where a search stops, in fetches per second")
	f.Float64Var(&s.atLeast, "at-least", 0,
		"fail if plain k6's cost is less than this many times the extension's; 0 only reports")
	f.StringVar(&s.markdown, "markdown", "",
		"file with the marker lines between which the tables are written, e.g. docs/benchmarks.md")
	if err := f.Parse(args); err != nil {
		return s, inputError{err}
	}
	for _, name := range []string{s.k6, filepath.Join(s.scripts, "plain.js")} {
		if _, err := os.Stat(name); err != nil {
			return s, invalid("-k6 %q -scripts %q: %w: build k6 with go build ./cmd/k6", s.k6, s.scripts, err)
		}
	}
	switch {
	case s.rounds < 2:
		return s, invalid("-rounds %d: want 2 or more", s.rounds)
	case s.vus < 1 || s.fetches < 20*s.vus:
		return s, invalid("-fetches %d -vus %d: want at least twenty fetches for each VU", s.fetches, s.vus)
	case s.searches < 0 || s.trial < 2*time.Second || s.trial > time.Minute || s.maxRate < 2*firstRate:
		return s, invalid("-searches %d -trial %s -max-rate %d: want 0 or more, 2s to 1m, and at least %d", s.searches,
			s.trial, s.maxRate, 2*firstRate)
	}
	if s.markdown != "" {
		if _, err := readMarked(s.markdown); err != nil {
			return s, inputError{err}
		}
	}
	if _, err := baotest.Binary(); err != nil {
		return s, inputError{err}
	}
	s.wrk, _ = exec.LookPath("wrk")
	return s, nil
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.wrk == "" {
		fmt.Fprintln(os.Stderr, "wrk is left out: it is not on the PATH (steamer setup --bench installs it as root on Debian)")
	}
	fmt.Fprintln(os.Stderr, "starting OpenBao and PostgreSQL with 20 tenants")
	server, err := baotest.Start(ctx, 20, 4)
	if err != nil {
		return err
	}
	defer server.Stop()
	b := &bench{settings: s, fixture: server.Fixture}
	if b.dir, err = os.MkdirTemp("", "steamer-generator-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.writeFiles(); err != nil {
		return err
	}
	results, err := b.compare(ctx)
	if err != nil { // what was measured is shown, and not written into a document
		fmt.Fprintln(os.Stdout, "partial:", err)
		s.markdown, s.atLeast = "", 0
		return errors.Join(err, report(os.Stdout, results, s))
	}
	return report(os.Stdout, results, s)
}
