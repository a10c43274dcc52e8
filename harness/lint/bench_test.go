package lint_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/lint"
)

// BenchmarkRun checks the reference chart; the whole has to stay within seconds.
func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		loaded, err := chart.Load("../../charts/openbao")
		require.NoError(b, err)
		report, err := lint.Run(b.Context(), loaded, lint.Options{Dialect: "gitlab"})
		require.NoError(b, err)
		b.ReportMetric(float64(len(report.Cases)), "cases/op")
	}
}
