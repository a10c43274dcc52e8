package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/perf/internal/baotest"
)

// asK6 in the environment makes the test binary behave as the k6 it tests.
const asK6 = "STEAMER_TEST_AS_K6"

func TestMain(m *testing.M) {
	if os.Getenv(asK6) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

type logLine struct {
	Kind    string            `json:"kind"`
	Phase   string            `json:"phase"`
	StartMs int64             `json:"start_ms"`
	Hist    map[string]string `json:"hist"`
	Count   map[string]int64  `json:"count"`
	MaxVUs  int64             `json:"max_vus"`
	K6      string            `json:"k6"`
	Partial bool              `json:"partial"`
}

// k6 returns the command for a run of fetch.js with the fixture in a pipe, as the harness runs it.
func k6(t *testing.T, fixture any, log string, env ...string) *exec.Cmd {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	go func() {
		defer w.Close()
		_ = json.NewEncoder(w).Encode(fixture) // a failure shows in k6
	}()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "run", "--quiet", "--address=", "--no-usage-report",
		"--no-thresholds", "--summary-mode=disabled", "--out=hdr="+log, "../../scripts/fetch.js")
	cmd.ExtraFiles = []*os.File{r}
	cmd.Env = append(os.Environ(), asK6+"=1")
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func readLog(t *testing.T, path string) []logLine {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var lines []logLine
	for text := range bytes.Lines(data) {
		var l logLine
		require.NoError(t, json.Unmarshal(text, &l), "%s", text)
		lines = append(lines, l)
	}
	return lines
}

// merged adds up counts and histograms of one phase.
func merged(t *testing.T, lines []logLine, phase string) (map[string]int64, map[string]*hdrhistogram.Histogram) {
	t.Helper()
	count, hist := map[string]int64{}, map[string]*hdrhistogram.Histogram{}
	for _, l := range lines {
		if l.Kind != "interval" || l.Phase != phase {
			continue
		}
		for k, v := range l.Count {
			count[k] += v
		}
		for k, v := range l.Hist {
			h, err := hdrhistogram.Decode([]byte(v))
			require.NoError(t, err)
			if hist[k] == nil {
				hist[k] = hdrhistogram.New(h.LowestTrackableValue(), h.HighestTrackableValue(), int(h.SignificantFigures()))
			}
			require.Zero(t, hist[k].Merge(h))
		}
	}
	return count, hist
}

// TestRun drives the whole chain for real: script, extension, OpenBao, output.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := baotest.Start(ctx, 3, 2)
	require.NoError(t, err)
	defer server.Stop()

	t.Run("complete", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "log")
		out, err := k6(t, server.Fixture, log,
			"STEAMER_RATE=40", "STEAMER_WARMUP=2s", "STEAMER_DURATION=4s", "STEAMER_VUS=80").CombinedOutput()
		require.NoError(t, err, "%s", out)
		noTokens(t, server, out)

		lines := readLog(t, log)
		require.Equal(t, "header", lines[0].Kind)
		last := lines[len(lines)-1]
		require.Equal(t, "summary", last.Kind)
		require.False(t, last.Partial)
		require.Equal(t, "v2.1.0", last.K6)
		require.GreaterOrEqual(t, last.MaxVUs, int64(80))

		for phase, seconds := range map[string]int64{"warmup": 2, "measure": 4} {
			count, hist := merged(t, lines, phase)
			require.InDelta(t, 40*seconds, count["fetches"], 2, phase)
			require.Equal(t, count["fetches"], count["status_200"], "%s: %v", phase, count)
			require.Zero(t, count["failed"]+count["wrong"]+count["dropped"]+count["interrupted"], "%s: %v", phase, count)
			require.Equal(t, count["fetches"], hist["fetch_actual"].TotalCount())
			require.Equal(t, count["fetches"], hist["fetch_intended"].TotalCount())
			require.Greater(t, hist["fetch_actual"].Min(), int64(100), "a real fetch takes longer than 0.1 ms")
			require.GreaterOrEqual(t, hist["fetch_intended"].Mean(), hist["fetch_actual"].Mean())
		}
	})

	t.Run("interrupted", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "log")
		var out bytes.Buffer
		cmd := k6(t, server.Fixture, log, "STEAMER_RATE=40", "STEAMER_WARMUP=0s", "STEAMER_DURATION=5m")
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		require.Eventually(t, func() bool {
			data, _ := os.ReadFile(log)
			return bytes.Count(data, []byte("\n")) > 3
		}, time.Minute, 50*time.Millisecond)
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		require.Error(t, cmd.Wait(), "k6's exit code says that it was interrupted")

		noTokens(t, server, out.Bytes())
		lines := readLog(t, log)
		last := lines[len(lines)-1]
		require.Equal(t, "summary", last.Kind, "%s", &out)
		require.True(t, last.Partial)
		count, hist := merged(t, lines, "measure")
		require.Equal(t, count["fetches"], hist["fetch_actual"].TotalCount())
		require.Zero(t, count["failed"], "what the interrupt cut off is not a failure: %v", count)
	})

	t.Run("wrong value", func(t *testing.T) {
		fx := *server.Fixture
		fx.Tenants = append(fx.Tenants[:0:0], fx.Tenants...)
		fx.Tenants[0].Secrets = append(fx.Tenants[0].Secrets[:0:0], fx.Tenants[0].Secrets...)
		fx.Tenants[0].Secrets[0].SHA256[0] ^= 1
		log := filepath.Join(t.TempDir(), "log")
		out, err := k6(t, &fx, log, "STEAMER_RATE=40", "STEAMER_WARMUP=0s", "STEAMER_DURATION=3s").CombinedOutput()
		require.NoError(t, err, "%s", out)
		noTokens(t, server, out)
		count, _ := merged(t, readLog(t, log), "measure")
		require.InDelta(t, 20, count["wrong"], 16, "one secret in six")
		require.Equal(t, count["wrong"], count["error_value"])
		require.Zero(t, count["failed"])
	})
}

// TestTLS fetches over TLS with the fixture's CA: over HTTP/2, as Runner does, unless k6 is told
// to use HTTP/1.1.
func TestTLS(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := baotest.Start(ctx, 3, 2, baotest.TLS())
	require.NoError(t, err)
	defer server.Stop()
	for _, http2 := range []bool{true, false} {
		log := filepath.Join(t.TempDir(), "log")
		out, err := k6(t, server.Fixture, log, "STEAMER_RATE=20", "STEAMER_WARMUP=0s", "STEAMER_DURATION=2s",
			"STEAMER_VUS=40", "GODEBUG=http2client="+map[bool]string{true: "1", false: "0"}[http2]).CombinedOutput()
		require.NoError(t, err, "%s", out)
		noTokens(t, server, out)
		count, hist := merged(t, readLog(t, log), "measure")
		require.InDelta(t, 40, count["fetches"], 2)
		require.Equal(t, count["fetches"], count["status_200"], "%v", count)
		require.Equal(t, count["fetches"], hist["step_tls"].TotalCount())
		require.Equal(t, http2, count["http2"] == count["fetches"], "%v", count)
		require.Equal(t, http2, count["http2"] > 0, "%v", count)
	}
}

// noTokens fails if a job token or a secret's value is in what k6 printed.
func noTokens(t *testing.T, server *baotest.Server, out []byte) {
	t.Helper()
	for _, tenant := range server.Fixture.Tenants {
		require.NotContains(t, string(out), tenant.JWT)
		require.NotContains(t, string(out), strings.Split(tenant.JWT, ".")[2])
	}
	require.NotContains(t, string(out), "value of <")
}
