package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// writeFixture puts the fixture into a file, since plain k6 reads it anew for each VU; its tokens are good only for a
// server that ends with this process.
func (b *bench) writeFixture() error {
	data, err := json.Marshal(b.fixture)
	if err != nil {
		return err
	}
	return os.WriteFile(b.fixturePath(), data, 0o600)
}

func (b *bench) fixturePath() string { return filepath.Join(b.dir, "fixture.json") }

// compare runs both scripts in the order ABBA ABBA …, so that a server that gets slower or faster favours neither.
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

// k6 runs one script to its end. Plain k6 writes no output at all, the extension its histograms: the comparison is
// with what each needs at least to be of use.
func (b *bench) k6(ctx context.Context, extension, reuse bool, iterations int) (usage, error) {
	args := []string{
		"run", "--quiet", "--address=", "--no-usage-report", "--no-thresholds", "--summary-mode=disabled",
		"--log-format=json", filepath.Join(b.scripts, "plain.js"),
	}
	if extension {
		args[len(args)-1] = filepath.Join(b.scripts, "closed.js")
		args = append(args, "--out=hdr="+filepath.Join(b.dir, "log"))
	}
	cmd := exec.CommandContext(ctx, b.settings.k6, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(),
		"STEAMER_FIXTURE="+b.fixturePath(), "STEAMER_VUS="+strconv.Itoa(b.vus),
		"STEAMER_ITERATIONS="+strconv.Itoa(iterations), "STEAMER_REUSE="+strconv.FormatBool(reuse))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return usage{}, fmt.Errorf("%s: %w: %s", args[7], err, &out)
	}
	if bytes.Contains(out.Bytes(), []byte(`"level":"warning"`)) {
		return usage{}, fmt.Errorf("%s: fetches failed: %s", args[7], &out)
	}
	ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return usage{}, fmt.Errorf("no resource usage on this system")
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return usage{cpu: cpu, maxRSS: ru.Maxrss << 10}, nil
}
