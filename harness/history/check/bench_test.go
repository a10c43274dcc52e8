package check_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/history/historytest"
	"gitlab.com/steamer/steamer/harness/result"
)

// BenchmarkMillion checks 10^6 operations of 16 clients on 400 secrets, 1 % of them without an
// answer, with faults, audit records and commits: it has to take less than 10 s and 500 MiB.
func BenchmarkMillion(b *testing.B) {
	path := filepath.Join(b.TempDir(), "history")
	size := generate(b, path, historytest.Options{
		Seed: 1, Clients: 16, Keys: 400, Ops: 1_000_000, Unknown: 0.01, Versions: 0.05, DeleteLatest: 0.01, Access: 0.05,
		Faults: 1000, Audit: true,
	})
	runtime.GC()
	before := heap()
	peak := uint64(0)
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				peak = max(peak, heap())
			case <-done:
				return
			}
		}
	}()
	b.SetBytes(int64(size))
	var report *check.Report
	for b.Loop() {
		report = judgedFile(b, path)
	}
	close(done)
	<-watched
	b.ReportMetric(float64(peak-before)/(1<<20), "MiB-peak")
	b.ReportMetric(float64(size)/(1<<20), "MiB-file")
	var text bytes.Buffer
	require.NoError(b, check.Text(&text, report))
	require.Equal(b, result.Pass, report.Verdict, text.String())
}

// generate writes a history to a file and returns its size.
func generate(b *testing.B, path string, o historytest.Options) int {
	data := historytest.Generate(o).Bytes()
	require.NoError(b, os.WriteFile(path, data, 0o600))
	return len(data)
}

func judgedFile(b *testing.B, path string) *check.Report {
	file, err := os.Open(path)
	require.NoError(b, err)
	defer func() { require.NoError(b, file.Close()) }()
	r, err := history.NewReader(path, file)
	require.NoError(b, err)
	report, err := check.History(r)
	require.NoError(b, err)
	return report
}

// heap is the memory that Go's heap takes, garbage included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
