package hdr_test

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/result"
)

func histogram(t testing.TB, values ...int64) *hdrhistogram.Histogram {
	t.Helper()
	h := hdrhistogram.New(1, 3_600_000_000, 3)
	for _, v := range values {
		require.NoError(t, h.RecordValue(v))
	}
	return h
}

// TestMergeIsExact: the sum of parts that went through the encoding equals the
// histogram of all values, bucket for bucket.
func TestMergeIsExact(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	whole := histogram(t)
	var sum hdr.Sum
	for range 50 {
		part := histogram(t)
		for range 200 {
			v := int64(rng.ExpFloat64() * 8000)
			require.NoError(t, part.RecordValue(v))
			require.NoError(t, whole.RecordValue(v))
		}
		enc, err := hdr.Encode(part)
		require.NoError(t, err)
		dec, err := hdr.Decode(enc)
		require.NoError(t, err)
		require.NoError(t, sum.Add(dec))
	}
	require.True(t, whole.Equals(sum.Histogram()))
	require.Equal(t, whole.CumulativeDistribution(), sum.Histogram().CumulativeDistribution())
}

func TestMergeRefusesOtherResolution(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]*hdrhistogram.Histogram{
		"digits": hdrhistogram.New(1, 3_600_000_000, 2),
		"range":  hdrhistogram.New(1, 60_000_000, 3),
		"lowest": hdrhistogram.New(10, 3_600_000_000, 3),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sum hdr.Sum
			require.NoError(t, sum.Add(histogram(t, 5)))
			require.ErrorContains(t, sum.Add(other), "cannot be merged exactly")
		})
	}
}

func TestSummarise(t *testing.T) {
	t.Parallel()
	h := histogram(t)
	for i := int64(1); i <= 1000; i++ {
		require.NoError(t, h.RecordValue(i*10))
	}
	d, err := hdr.Summarise(h)
	require.NoError(t, err)
	require.EqualValues(t, 1000, d.Count)
	for _, q := range []struct{ got, want float64 }{
		{d.Mean, 5.005},
		{d.P50, 5},
		{d.P90, 9},
		{d.P95, 9.5},
		{d.P99, 9.9},
		{d.P999, 9.99},
		{d.Max, 10},
		{d.Min, 0.01},
	} {
		require.InEpsilon(t, q.want, q.got, 0.002, "three digits of resolution, milliseconds from microseconds")
	}
	back, err := hdr.Decode(d.HDR)
	require.NoError(t, err)
	require.True(t, h.Equals(back))

	d, err = hdr.Summarise(nil)
	require.NoError(t, err)
	require.Equal(t, result.Distribution{}, d)
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good, err := hdr.Encode(histogram(t, 1, 2, 3, 5000))
	require.NoError(t, err)
	raw, err := base64.StdEncoding.DecodeString(good)
	require.NoError(t, err)
	b64 := base64.StdEncoding.EncodeToString
	cookie := append([]byte{}, raw...)
	binary.BigEndian.PutUint32(cookie, 1)
	// A range that makes the library's bucket search loop for ever.
	endless := hdrhistogram.New(1<<40, 1<<42, 1)
	require.NoError(t, endless.RecordValue(1<<41))
	evil, err := hdr.Encode(endless)
	require.NoError(t, err)
	for name, tc := range map[string]struct{ in, wantErr string }{
		"empty":      {"", "truncated"},
		"not base64": {"%%%", "not base64"},
		"short":      {b64(raw[:5]), "truncated"},
		"cut":        {b64(raw[:len(raw)-9]), "damaged"},
		"cookie":     {b64(cookie), "damaged"},
		"not zlib":   {b64(append(append([]byte{}, raw[:8]...), "hello world"...)), "not compressed"},
		"range":      {evil, "not one of ours"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := hdr.Decode(tc.in)
			require.ErrorContains(t, err, tc.wantErr)
		})
	}
}

func FuzzDecode(f *testing.F) {
	good, err := hdr.Encode(histogram(f, 1, 50, 5000, 5000000))
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:30])
	f.Fuzz(func(t *testing.T, in string) {
		h, err := hdr.Decode(in)
		if err == nil {
			_, err = hdr.Summarise(h)
			require.NoError(t, err)
		}
	})
}

// TestAboveAgreesWithQuantiles: a quantile is above a limit exactly where more than its share of
// the values is counted above.
func TestAboveAgreesWithQuantiles(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		h := histogram(t)
		for range 1 + rng.IntN(500) {
			require.NoError(t, h.RecordValue(1+rng.Int64N(1_000_000)))
		}
		limit := float64(rng.IntN(1_000_000)) / 1000
		above := hdr.Above(h, []float64{limit, 1e9})
		require.Zero(t, above[1])
		for _, q := range []float64{50, 95, 99} {
			rank := max(1, int64(q/100*float64(h.TotalCount())+0.5))
			require.Equal(t, hdr.Milliseconds(h.ValueAtPercentile(q)) > limit, above[0] > h.TotalCount()-rank)
		}
	}
	require.Equal(t, []int64{0}, hdr.Above(nil, []float64{1}))
}
