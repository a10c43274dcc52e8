package load

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTrace reads what Go's runtime of today really prints, in this very test binary.
func TestTrace(t *testing.T) {
	t.Parallel()
	if os.Getenv("STEAMER_COLLECT") != "" {
		fmt.Fprintln(os.Stderr, "gc was here")
		garbage := make([]byte, 1<<20)
		for range 3 {
			runtime.GC()
		}
		runtime.KeepAlive(garbage)
		// GC returns before the runtime has printed its line; stopping the world waits for that.
		runtime.ReadMemStats(new(runtime.MemStats))
		fmt.Fprint(os.Stderr, "the end")
		os.Exit(0)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestTrace$")
	cmd.Env = append(os.Environ(), "STEAMER_COLLECT=1", gcTrace)
	var rest bytes.Buffer
	trace := NewTrace(&rest)
	cmd.Stderr = trace
	require.NoError(t, cmd.Run())
	require.NoError(t, trace.Flush())
	require.Equal(t, "gc was here\nthe end", rest.String())
	sum := trace.Collections()
	require.NotNil(t, sum)
	require.GreaterOrEqual(t, sum.Cycles, 3)
	require.Positive(t, sum.PauseMs)
	require.Less(t, sum.CPUShare, 1.0)
	require.GreaterOrEqual(t, sum.LiveMiB, 1.0)
}

func TestTraceHandsOn(t *testing.T) {
	t.Parallel()
	const collected = "gc 3 @0.056s 2%: 0.026+0.39+0.10 ms clock, 0.21+0.88/0.52/0+0.84 ms cpu, 4->5->1 MB, 5 MB goal, 0 MB stacks, 0 MB globals, 2 P\n"
	said := "gc 3\ngc a b c: d\n: \ngc 3 @0.056s x%: 0.026+0.39+0.10 ms clock, \n" + strings.Repeat("long ", 1000) +
		"\npanic: no newline"
	var rest bytes.Buffer
	trace := NewTrace(&rest)
	require.Nil(t, trace.Collections())
	_, err := io.Copy(trace, iotest.OneByteReader(strings.NewReader(collected+said)))
	require.NoError(t, err)
	require.NoError(t, trace.Flush())
	require.Equal(t, said, rest.String())
	require.Equal(t, 3, trace.Collections().Cycles)
	require.InDelta(t, 0.02, trace.Collections().CPUShare, 1e-9)
	require.InDelta(t, 0.10, trace.Collections().PauseMs, 1e-9)
	require.InDelta(t, 1, trace.Collections().LiveMiB, 1e-9)
}

// TestProcessSampler reads this process.
func TestProcessSampler(t *testing.T) {
	t.Parallel()
	s := processSampler{pid: os.Getpid()}
	now := time.Now()
	s.sample(now)
	s.sample(now) // at the same time: no rate
	s.sample(now.Add(time.Second))
	require.Len(t, s.out, 1)
	require.Greater(t, s.out[0].RSSMiB, 1.0)
	require.Positive(t, s.out[0].Threads)
	gone := processSampler{pid: 1 << 30}
	gone.sample(now)
	require.False(t, gone.base)
}
