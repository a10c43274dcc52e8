package delay_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/target/delay"
)

// BenchmarkDelay measures round trips 7 ms apart, as fetches at 140/s are, and reports by how much
// the median one is later than without the delay.
func BenchmarkDelay(b *testing.B) {
	address, stop := echo(b)
	b.Cleanup(stop)
	p, err := delay.Start(address)
	require.NoError(b, err)
	b.Cleanup(p.Stop)
	c, err := net.Dial("tcp", p.Address())
	require.NoError(b, err)
	b.Cleanup(func() { _ = c.Close() })
	trips := func(b *testing.B, d time.Duration, n int) float64 {
		require.NoError(b, p.Set(d))
		var took []time.Duration
		pace := time.NewTicker(7 * time.Millisecond)
		defer pace.Stop()
		for range n {
			<-pace.C
			began := time.Now()
			_, err := c.Write([]byte("x"))
			require.NoError(b, err)
			_, err = io.ReadFull(c, make([]byte, 1))
			require.NoError(b, err)
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return float64(took[len(took)/2].Microseconds())
	}
	for _, d := range []time.Duration{
		200 * time.Microsecond, 450 * time.Microsecond, 900 * time.Microsecond,
		2 * time.Millisecond,
	} {
		b.Run(fmt.Sprint(d), func(b *testing.B) {
			n := max(b.N, 100)
			b.ReportMetric(trips(b, d, n)-trips(b, 0, n), "added-µs")
		})
	}
}
