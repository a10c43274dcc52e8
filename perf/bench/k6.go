package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// extension runs closed.js and fetch.js, which use k6/x/openbao, with the histograms written.
func (b *bench) extension(name, k6 string) generator {
	return generator{
		name: name, checks: "the value's SHA-256",
		closed: func(ctx context.Context, reuse bool, n int) (usage, error) {
			return b.closedScript(ctx, k6, "closed.js", reuse, n, "--summary-mode=disabled", "--out=hdr="+b.path("log"))
		},
		open: func(ctx context.Context, reuse bool, rate int) (trial, error) {
			return b.extensionOpen(ctx, k6, reuse, rate)
		},
	}
}

// plain runs plain.js, which writes no output at all: each does the least it can do and still be
// of use.
func (b *bench) plain(ctx context.Context, reuse bool, n int) (usage, error) {
	return b.closedScript(ctx, b.k6, "plain.js", reuse, n, "--summary-mode=disabled")
}

func (b *bench) closedScript(ctx context.Context, k6, script string, reuse bool, n int, args ...string) (usage, error) {
	env := []string{"STEAMER_VUS=" + strconv.Itoa(b.vus), "STEAMER_ITERATIONS=" + strconv.Itoa(n)}
	u, _, err := b.k6Run(ctx, nil, k6, script, reuse, env, args...)
	u.fetches = n
	if err == nil && u.warned != nil {
		err = fmt.Errorf("fetches failed: %s", u.warned)
	}
	return u, err
}

// k6Run runs a script with the flags that keep k6 from storing samples.
func (b *bench) k6Run(ctx context.Context, watch func(pid int), k6, script string, reuse bool, env []string,
	args ...string,
) (usage, []byte, error) {
	all := append([]string{"run", "--quiet", "--address=", "--no-usage-report", "--no-thresholds", "--log-format=json"},
		args...)
	env = append(env, "STEAMER_REUSE="+strconv.FormatBool(reuse))
	return b.start(ctx, watch, env, k6, append(all, filepath.Join(b.scripts, script))...)
}

// openEnv is the schedule of a trial, for both scripts. As many requests may be in flight as fall
// due in a second.
func (b *bench) openEnv(rate int) []string {
	vus := strconv.Itoa(max(50, rate))
	return []string{
		"STEAMER_RATE=" + strconv.Itoa(rate), "STEAMER_WARMUP=0s", "STEAMER_DURATION=" + b.trial.String(), "STEAMER_VUS=" +
			vus, "STEAMER_MAX_VUS=" + vus,
	}
}

func (b *bench) scheduled(rate int) int { return int(float64(rate) * b.trial.Seconds()) }

func (b *bench) extensionOpen(ctx context.Context, k6 string, reuse bool, rate int) (trial, error) {
	u, _, err := b.k6Run(ctx, nil, k6, "fetch.js", reuse, b.openEnv(rate), "--summary-mode=disabled",
		"--out=hdr="+b.path("log"))
	if err != nil {
		return trial{}, err
	}
	log, err := os.ReadFile(b.path("log"))
	if err != nil {
		return trial{}, err
	}
	n, err := counts(log)
	return trial{
		scheduled: b.scheduled(rate), done: n["fetches"], dropped: n["dropped"], failed: n["failed"] + n["wrong"] +
			n["interrupted"],
		cpuShare: u.cpu.Seconds() / u.wall.Seconds(),
	}, err
}

// counts sums the counters of the output hdr's intervals.
func counts(log []byte) (map[string]int, error) {
	sum := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(log))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var l struct {
			Kind  string         `json:"kind"`
			Count map[string]int `json:"count"`
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("output hdr: %w", err)
		}
		for name, n := range l.Count {
			sum[name] += n
		}
	}
	return sum, lines.Err()
}

// plainOpen runs plain.js on a schedule; its handleSummary prints the counters.
func (b *bench) plainOpen(ctx context.Context, reuse bool, rate int) (trial, error) {
	u, out, err := b.k6Run(ctx, nil, b.k6, "plain.js", reuse, b.openEnv(rate))
	if err != nil {
		return trial{}, err
	}
	var s struct{ Iterations, Dropped, Failed int }
	if err := json.Unmarshal(out, &s); err != nil {
		return trial{}, fmt.Errorf("plain.js's summary: %w", err)
	}
	return trial{
		scheduled: b.scheduled(rate), done: s.Iterations, dropped: s.Dropped, failed: s.Failed,
		cpuShare: u.cpu.Seconds() / u.wall.Seconds(),
	}, nil
}
