package pods

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// TestProcesses drives three real k6 processes, each exactly as a pod of the Job would be, but as
// local processes, against a real OpenBao: the fixture by standard input, its end the signal to
// begin, the log by standard output.
func TestProcesses(t *testing.T) {
	ctx := t.Context()
	site := loadtest.Start(t, localbao.Options{}, "pods", 4, 2)
	seeded := site.Document(t, site.Server.Address, site.Seed)

	const processes, rate, seconds = 3, 30, 6
	r, j := sample()
	j.Rate, j.Profile.Warmup, j.Profile.Duration, j.Profile.VUs = rate, document.Duration(2*time.Second),
		document.Duration(seconds*time.Second), load.VUs{Initial: 60, Max: 90}
	scripts, err := Scripts(r.Scripts, "fetch")
	require.NoError(t, err)
	dir := t.TempDir()
	for path, text := range scripts {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600))
	}
	binary := loadtest.K6(t)
	var log bytes.Buffer
	rec := &load.Recorder{}
	d := newDrive(io.MultiWriter(&log, rec), []string{"k6-0", "k6-1", "k6-2"})
	var running errgroup.Group
	// A fake cluster would prove nothing here: Feed runs the very command and environment of the
	// pod's container instead.
	r.Feed = func(ctx context.Context, _, name, _ string, in io.Reader) error {
		index, err := strconv.Atoi(name[len("k6-"):])
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(t.Context(), binary, append(load.Arguments("/dev/stdout"),
			filepath.Join(dir, MainScript))...)
		cmd.Env = append(append(load.Settings(j), share(strconv.Itoa(processes), strconv.Itoa(alignSeconds))...),
			"STEAMER_SEGMENT_INDEX="+strconv.Itoa(index))
		cmd.Stdout, cmd.Stderr = d.merger.Part(index, d.traces[index]), d.traces[index]
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		running.Go(func() error { return cmd.Wait() })
		if _, err = io.Copy(stdin, in); err == nil {
			err = stdin.Close()
		}
		return err
	}
	detach, err := d.feed(ctx, r, seeded)
	require.NoError(t, err)
	require.NoError(t, running.Wait())
	detach()
	for i := range processes {
		require.NoError(t, d.merger.End(i))
	}
	require.NoError(t, d.merger.Close())
	l, err := rec.Finish(load.Plan{Warmup: 2 * time.Second, Duration: seconds * time.Second, Rate: rate})
	require.NoError(t, err)
	d.describe(l, rate)

	require.Empty(t, l.Partial, "%s", d.tails[0])
	// arrivals that a busy machine puts before or after the measured time, for each process;
	// another share would be 30 off
	const ends = 6
	// A machine that stalls for seconds finds no free VU for an arrival: then it is dropped, and
	// counted as that.
	require.InDelta(t, rate*seconds, l.Fetches+l.Dropped, ends*processes,
		"all shares together are the whole rate; %d dropped", l.Dropped)
	require.Equal(t, [2]int64{}, [2]int64{l.Failed, l.Wrong})
	require.Equal(t, [2]int64{l.Fetches, l.Fetches}, [2]int64{l.Actual.Count, l.Intended.Count})
	require.Len(t, l.Parts, processes)
	for _, p := range l.Parts {
		require.InDelta(t, rate*seconds/processes, p.Fetches, ends+float64(l.Dropped), "%s has its share", p.Name)
		require.LessOrEqual(t, p.LateSeconds, 1.0)
		require.NotNil(t, p.Collections, "k6's garbage collector was traced")
	}
	first := l.Start.Sub(d.begin)
	require.GreaterOrEqual(t, first, time.Duration(0), "nobody begins before the agreed instant")
	require.Less(t, first, tolerance)
	loadtest.NoToken(t, seeded, log.String())
	again, err := loadtest.Parse(bytes.NewReader(log.Bytes()), load.Plan{
		Warmup:   2 * time.Second,
		Duration: seconds * time.Second, Rate: rate,
	})
	require.NoError(t, err)
	require.Equal(t, l.Intended, again.Intended, "the merged log is a log like any other")
	t.Logf("begun %v after the agreed instant; p50 %.1f ms, p99 %.1f ms; parts %+v", first, l.Intended.P50, l.Intended.P99,
		l.Parts)
}
