package lint_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/lint"
)

// Targets of CPU time: 3 s for the reference chart and a minute for a parent chart of many, on two
// CPUs.
const referenceTarget, umbrellaTarget = 6 * time.Second, 120 * time.Second

// BenchmarkReference checks the reference chart.
func BenchmarkReference(b *testing.B) {
	benchmark(b, reference, lint.Options{Dialect: "gitlab"}, referenceTarget)
}

// BenchmarkUmbrella checks the chart that STEAMER_UMBRELLA names, such as GitLab's own, with the
// values that it asks for.
func BenchmarkUmbrella(b *testing.B) {
	source := os.Getenv("STEAMER_UMBRELLA")
	if source == "" {
		b.Skip("STEAMER_UMBRELLA names no chart")
	}
	values := map[string]any{
		"certmanager-issuer": map[string]any{"email": "someone@example.com"},
		"global":             map[string]any{"hosts": map[string]any{"domain": "example.com"}},
	}
	benchmark(b, source, lint.Options{Dialect: lint.None, Values: values, Budget: 80 * time.Second}, umbrellaTarget)
}

func benchmark(b *testing.B, source string, o lint.Options, target time.Duration) {
	cases, began := 0, processorTime(b)
	for b.Loop() {
		loaded, err := chart.Load(source)
		require.NoError(b, err)
		report, err := lint.Run(b.Context(), loaded, o)
		require.NoError(b, err)
		cases = len(report.Cases)
	}
	each := (processorTime(b) - began) / time.Duration(b.N)
	b.ReportMetric(float64(cases), "cases/op")
	b.ReportMetric(each.Seconds(), "CPU-s/op")
	require.Less(b, each, target)
}

func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
