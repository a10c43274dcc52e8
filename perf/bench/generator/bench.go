package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// bench runs generators against one server.
type bench struct {
	settings
	fixture *fixture.Fixture
	dir     string
}

// usage is what one process took and did.
type usage struct {
	cpu     time.Duration // user and system
	maxRSS  int64         // bytes
	fetches int
	wall    time.Duration
	// warnings are k6's: in a closed loop a fetch that failed, in an open one also that it had no
	// free VU.
	warnings string
}

// warnings are the lines of k6's JSON log that are at least warnings.
func warnings(log []byte) string {
	var found []string
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, `"level":"warning"`) || strings.Contains(line, `"level":"error"`) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return strings.Join(found, "\n")
}

// generator is one way to make load.
type generator struct {
	name   string
	checks string // what it looks at in each answer
	// closed makes about n fetches as fast as the connections allow.
	closed func(ctx context.Context, reuse bool, n int) (usage, error)
	// open starts fetches at a rate for the length of a trial; nil for a generator that has no such
	// mode.
	open func(ctx context.Context, reuse bool, rate int) (trial, error)
}

// few is the number of fetches of a run that measures what starting costs.
func (b *bench) few() int { return 2 * b.vus }

// generators in the order of the table; the first two are compared by -at-least.
func (b *bench) generators() []generator {
	list := []generator{
		{"k6/x/openbao", "the value's SHA-256", b.extension, b.extensionOpen},
		{"plain k6/http", "status and that a value came", b.plain, b.plainOpen},
		{"vegeta", "the value's SHA-256", b.vegeta, b.vegetaOpen},
	}
	if b.wrk != "" {
		list = append(list, generator{"wrk", "the status", b.runWrk, nil})
	}
	return list
}

// series is everything measured of one generator in one case.
type series struct {
	generator
	cost    []time.Duration // CPU per fetch
	through []float64       // fetches per second in a closed loop
	rss     int64
	honest  []honest
}

// comparison is one case.
type comparison struct {
	name   string
	series []series
}

// compare measures every generator with and without connection reuse. Beside an error it returns
// what was measured until then.
func (b *bench) compare(ctx context.Context) ([]comparison, error) {
	var out []comparison
	for _, reuse := range []bool{false, true} {
		c := comparison{name: "a connection per fetch, as Runner"}
		if reuse {
			c.name = "connections kept"
		}
		for _, g := range b.generators() {
			c.series = append(c.series, series{generator: g})
		}
		fmt.Fprintf(os.Stderr, "%s: %d runs of each generator\n", c.name, b.rounds)
		for round := range b.rounds {
			if err := inTurns(round, c.series, func(s *series) error { return b.cost(ctx, s, reuse) }); err != nil {
				return append(out, c), err
			}
		}
		for round := range b.searches {
			if err := inTurns(round, c.series, func(s *series) error { return b.search(ctx, s, reuse) }); err != nil {
				return append(out, c), err
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// inTurns visits all series, backwards in every second round, so that a machine that gets slower or
// faster favours none.
func inTurns(round int, all []series, visit func(*series) error) error {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	if round%2 == 1 {
		slices.Reverse(order)
	}
	for _, i := range order {
		if err := visit(&all[i]); err != nil {
			return fmt.Errorf("%s: %w", all[i].name, err)
		}
	}
	return nil
}

// cost measures one run less what starting costs.
func (b *bench) cost(ctx context.Context, s *series, reuse bool) error {
	start, err := s.closed(ctx, reuse, b.few())
	if err != nil {
		return err
	}
	full, err := s.closed(ctx, reuse, b.fetches)
	if err != nil {
		return err
	}
	if full.fetches <= start.fetches || full.wall <= start.wall {
		return fmt.Errorf("%d fetches in %s after %d in %s measure nothing", full.fetches, full.wall, start.fetches,
			start.wall)
	}
	more := full.fetches - start.fetches
	s.cost = append(s.cost, (full.cpu-start.cpu)/time.Duration(more))
	s.through = append(s.through, float64(more)/(full.wall-start.wall).Seconds())
	s.rss = max(s.rss, full.maxRSS)
	fmt.Fprintf(os.Stderr, "  %-14s %6.1f µs of CPU per fetch, %5.0f fetches/s\n", s.name, micros(s.cost[len(s.cost)-1]),
		s.through[len(s.through)-1])
	return nil
}

// writeFiles puts the fixture, and wrk's script, where the children find them. The tokens in them
// are good only for a server that ends with this process, and the directory goes with it.
func (b *bench) writeFiles() error {
	data, err := json.Marshal(b.fixture)
	if err != nil {
		return err
	}
	script, err := luaScript(b.fixture)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(b.path("fixture.json"), data, 0o600), os.WriteFile(b.path("wrk.lua"), script, 0o600))
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// start runs a program to its end and returns what it took and what it printed on standard output.
func (b *bench) start(ctx context.Context, env []string, program string, args ...string) (usage, []byte, error) {
	cmd := exec.CommandContext(ctx, program, args...) // #nosec G204 -- the developer names the program
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(append(os.Environ(), "STEAMER_FIXTURE="+b.path("fixture.json")), env...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return usage{}, nil, fmt.Errorf("%s: %w: %s", filepath.Base(program), err, &problems)
	}
	ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return usage{}, nil, errors.New("no resource usage on this system")
	}
	return usage{
		cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), maxRSS: ru.Maxrss << 10, wall: time.Since(began),
		warnings: warnings(problems.Bytes()),
	}, out.Bytes(), nil
}
