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
	"sync"
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
	// warned is k6's log where it has a warning or an error: in a closed loop a fetch that failed,
	// in an open one also that no VU was free.
	warned []byte
}

// generator is one way to make load.
type generator struct {
	name   string
	checks string // what it looks at in each answer
	// closed makes about n fetches as fast as the connections allow.
	closed func(ctx context.Context, reuse bool, n int) (usage, error)
	// open starts fetches at a rate for the length of a trial; nil for a generator that cannot.
	open func(ctx context.Context, reuse bool, rate int) (trial, error)
}

// few is the number of fetches of a run that measures what starting costs.
func (b *bench) few() int { return 2 * b.vus }

// plainK6 is what -at-least compares with.
const plainK6 = "plain k6/http"

// generators in the order of the table. The others are compared with the first.
func (b *bench) generators() []generator {
	list := []generator{b.extension("k6/x/openbao", b.k6)}
	for _, k6 := range b.against {
		list = append(list, b.extension(k6, k6))
	}
	if len(b.against) > 0 {
		return list
	}
	list = append(list, generator{plainK6, "status and that a value came", b.plain, b.plainOpen})
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
		c := comparison{name: "A connection per fetch, as Runner"}
		if reuse {
			c.name = "Connections kept"
		}
		for _, g := range b.generators() {
			c.series = append(c.series, series{generator: g})
		}
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

// inTurns visits all series, in reverse in every second round, so that a machine that gets slower
// or faster favours none.
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
	return nil
}

// writeFiles puts the fixture, and wrk's script, where the children find them. The tokens in them
// are good only for a server that ends with this process, and the directory goes with it.
func (b *bench) writeFiles() error {
	data, err := json.Marshal(b.fixture)
	return errors.Join(err, os.WriteFile(b.path("fixture.json"), data, 0o600),
		os.WriteFile(b.path("ca.pem"), []byte(b.fixture.CA), 0o600),
		os.WriteFile(b.path("wrk.lua"), luaScript(b.fixture), 0o600))
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// start runs a program to its end and returns what it took and what it printed on standard output.
// It calls watch once a second meanwhile, with the process ID, if watch is not nil.
func (b *bench) start(ctx context.Context, watch func(pid int), env []string, program string, args ...string) (usage,
	[]byte, error,
) {
	cmd := exec.CommandContext(ctx, program, args...) // #nosec G204 -- the developer names the program
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(append(os.Environ(), "STEAMER_FIXTURE="+b.path("fixture.json")), env...)
	if b.tls {
		cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+b.path("ca.pem")) // for k6/http
	}
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	began := time.Now()
	err := cmd.Start()
	if err == nil && watch != nil {
		ended := make(chan struct{})
		var watcher sync.WaitGroup
		watcher.Go(func() { everySecond(ended, func() { watch(cmd.Process.Pid) }) })
		err = cmd.Wait()
		close(ended)
		watcher.Wait()
	} else if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return usage{}, nil, fmt.Errorf("%s: %w: %s", filepath.Base(program), err, &problems)
	}
	ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return usage{}, nil, errors.New("no resource usage on this system")
	}
	u := usage{
		cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), maxRSS: ru.Maxrss << 10, wall: time.Since(began),
	}
	if log := problems.Bytes(); bytes.Contains(log, []byte(`"level":"warning"`)) ||
		bytes.Contains(log, []byte(`"level":"error"`)) {
		u.warned = log
	}
	return u, out.Bytes(), nil
}
