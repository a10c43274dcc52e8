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
	"strconv"
	"sync"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// bench runs k6 against one server.
type bench struct {
	settings
	fixture *fixture.Fixture
	dir     string
}

// usage is what one k6 process took.
type usage struct {
	cpu    time.Duration // user and system
	maxRSS int64         // bytes
}

// comparison is one case: per fetch, for each run, the extension's and plain k6's CPU time.
type comparison struct {
	name             string
	extension, plain []time.Duration
	extRSS, plainRSS int64
}

// writeFixture puts the fixture into a file, since plain k6 reads it again for each VU; its tokens
// are good only for a server that ends with this process.
func (b *bench) writeFixture() error {
	data, err := json.Marshal(b.fixture)
	if err != nil {
		return err
	}
	return os.WriteFile(b.fixturePath(), data, 0o600)
}

func (b *bench) fixturePath() string { return filepath.Join(b.dir, "fixture.json") }

// compare runs both scripts in the order ABBA ABBA …, so that a server that gets slower or faster
// favours neither.
func (b *bench) compare(ctx context.Context, reuse bool) (comparison, error) {
	c := comparison{name: "connection per fetch (as Runner)"}
	if reuse {
		c.name = "connection kept"
	}
	few := 2 * b.vus
	for round := range b.rounds {
		order := []bool{true, false}
		if round%2 == 1 {
			order = []bool{false, true}
		}
		for _, extension := range order {
			start, err := b.k6(ctx, extension, reuse, few)
			if err != nil {
				return c, err
			}
			full, err := b.k6(ctx, extension, reuse, b.iterations)
			if err != nil {
				return c, err
			}
			per := (full.cpu - start.cpu) / time.Duration(b.iterations-few)
			if extension {
				c.extension, c.extRSS = append(c.extension, per), max(c.extRSS, full.maxRSS)
			} else {
				c.plain, c.plainRSS = append(c.plain, per), max(c.plainRSS, full.maxRSS)
			}
		}
	}
	return c, nil
}

// k6 runs one of the two scripts to its end. Plain k6 writes no output at all, the extension its
// histograms: each does the least it can do and still be of use.
func (b *bench) k6(ctx context.Context, extension, reuse bool, iterations int) (usage, error) {
	env := []string{
		"STEAMER_VUS=" + strconv.Itoa(b.vus), "STEAMER_ITERATIONS=" + strconv.Itoa(iterations),
		"STEAMER_REUSE=" + strconv.FormatBool(reuse),
	}
	if extension {
		return b.start(ctx, "closed.js", env, "--out=hdr="+b.logPath())
	}
	return b.start(ctx, "plain.js", env)
}

func (b *bench) logPath() string { return filepath.Join(b.dir, "log") }

// start runs a script with the flags that keep k6 from storing samples, and returns what the
// process took.
func (b *bench) start(ctx context.Context, script string, env []string, args ...string) (usage, error) {
	return b.watched(ctx, nil, script, env, args...)
}

// watched does the same and calls look once a second meanwhile, if it is not nil, with the
// process's ID.
func (b *bench) watched(ctx context.Context, look func(pid int), script string, env []string, args ...string) (usage,
	error,
) {
	args = append([]string{
		"run", "--quiet", "--address=", "--no-usage-report", "--no-thresholds", "--summary-mode=disabled",
		"--log-format=json",
	}, args...)
	cmd := exec.CommandContext(ctx, b.settings.k6,
		append(args, filepath.Join(b.scripts, script))...) // #nosec G204 -- the developer names the program
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(append(os.Environ(), "STEAMER_FIXTURE="+b.fixturePath()), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return usage{}, fmt.Errorf("%s: %w", script, err)
	}
	ended := make(chan struct{})
	var watcher sync.WaitGroup
	if look != nil {
		watcher.Go(func() { everySecond(ended, func() { look(cmd.Process.Pid) }) })
	}
	err := cmd.Wait()
	close(ended)
	watcher.Wait()
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w: %s", script, err, &out)
	}
	if bytes.Contains(out.Bytes(), []byte(`"level":"warning"`)) {
		return usage{}, fmt.Errorf("%s: fetches failed: %s", script, &out)
	}
	ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return usage{}, errors.New("no resource usage on this system")
	}
	return usage{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), maxRSS: ru.Maxrss << 10}, nil
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
