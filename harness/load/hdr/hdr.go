// Package hdr reads, merges and summarises latency histograms in the
// HdrHistogram V2 compressed format (base64, microseconds), the format in which
// k6's output, the result file and the tools of the HdrHistogram project agree.
package hdr

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gitlab.com/steamer/steamer/harness/result"
)

// maxHighest bounds the trackable range a histogram may claim: 24 hours in µs.
const maxHighest = int64(24 * 3600 * 1e6)

// maxCompressed bounds the encoded size; three digits over an hour take a few KiB.
const maxCompressed = 1 << 20

// Decode parses one encoded histogram. The library's decoder panics or loops on
// damaged input, so the header is checked first and a panic becomes an error.
func Decode(encoded string) (h *hdrhistogram.Histogram, err error) {
	if len(encoded) > maxCompressed {
		return nil, fmt.Errorf("histogram of %d bytes, more than %d", len(encoded), maxCompressed)
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("histogram is not base64: %w", err)
	}
	if err := checkHeader(raw); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			h, err = nil, fmt.Errorf("histogram is damaged: %v", p)
		}
	}()
	h, err = hdrhistogram.Decode([]byte(encoded))
	if err != nil {
		return nil, fmt.Errorf("histogram is damaged: %w", err)
	}
	return h, nil
}

// checkHeader verifies the parts of the encoding that the library trusts.
// Layout: HdrHistogram's AbstractHistogram.encodeIntoByteBuffer, V2: cookie,
// payload length, normalizing index offset, digits (int32 each), lowest and
// highest trackable value (int64), conversion ratio (float64), all big-endian.
func checkHeader(raw []byte) error {
	if len(raw) < 8 {
		return errors.New("histogram is truncated")
	}
	z, err := zlib.NewReader(bytes.NewReader(raw[8:]))
	if err != nil {
		return fmt.Errorf("histogram is not compressed data: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(z, maxCompressed))
	if err != nil {
		return fmt.Errorf("histogram is damaged: %w", err)
	}
	if len(plain) < 40 || len(plain) == maxCompressed {
		return fmt.Errorf("histogram of %d bytes is truncated or too large", len(plain))
	}
	digits := int32(binary.BigEndian.Uint32(plain[12:]))
	lowest := int64(binary.BigEndian.Uint64(plain[16:]))
	highest := int64(binary.BigEndian.Uint64(plain[24:]))
	if digits < 1 || digits > 5 || lowest < 1 || lowest > 1000 || highest < 2*lowest || highest > maxHighest {
		return fmt.Errorf("histogram with %d digits over %d..%d µs is not one of ours", digits, lowest, highest)
	}
	return nil
}

// Encode is the inverse of Decode.
func Encode(h *hdrhistogram.Histogram) (string, error) {
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return string(b), err
}

// Sum adds histograms bucket by bucket. The zero Sum is ready to use.
type Sum struct{ h *hdrhistogram.Histogram }

// Add merges h. The merge is exact because histograms of another resolution or
// range are refused rather than re-bucketed.
func (s *Sum) Add(h *hdrhistogram.Histogram) error {
	if s.h == nil {
		s.h = hdrhistogram.New(h.LowestTrackableValue(), h.HighestTrackableValue(), int(h.SignificantFigures()))
	}
	if s.h.LowestTrackableValue() != h.LowestTrackableValue() ||
		s.h.HighestTrackableValue() != h.HighestTrackableValue() ||
		s.h.SignificantFigures() != h.SignificantFigures() {
		return errors.New("histograms of different resolution or range cannot be merged exactly")
	}
	if dropped := s.h.Merge(h); dropped != 0 {
		return fmt.Errorf("%d values fell outside the histogram", dropped)
	}
	return nil
}

// Histogram returns the sum, nil when nothing was added.
func (s *Sum) Histogram() *hdrhistogram.Histogram { return s.h }

// Above counts the values above each of the limits in milliseconds. A value is known by its bucket
// only, which is 0.1 % wide; one in the bucket that holds a limit counts as above it, as it does
// for a quantile. nil has no values.
func Above(h *hdrhistogram.Histogram, limits []float64) []int64 {
	above := make([]int64, len(limits))
	if h == nil || len(limits) == 0 {
		return above
	}
	for _, bar := range h.Distribution() {
		for i, limit := range limits {
			if bar.Count > 0 && Milliseconds(bar.To) > limit {
				above[i] += bar.Count
			}
		}
	}
	return above
}

// Milliseconds converts a histogram value in microseconds.
func Milliseconds(us int64) float64 { return float64(us) / 1000 }

// Summarise turns a histogram in microseconds into a Distribution in
// milliseconds with the histogram enclosed; nil gives the empty Distribution.
func Summarise(h *hdrhistogram.Histogram) (result.Distribution, error) {
	if h == nil || h.TotalCount() == 0 {
		return result.Distribution{}, nil
	}
	enc, err := Encode(h)
	if err != nil {
		return result.Distribution{}, fmt.Errorf("encode histogram: %w", err)
	}
	q := func(p float64) float64 { return Milliseconds(h.ValueAtPercentile(p)) }
	return result.Distribution{
		Count: h.TotalCount(), Mean: h.Mean() / 1000, Min: Milliseconds(h.Min()), Max: Milliseconds(h.Max()),
		P50: q(50), P90: q(90), P95: q(95), P99: q(99), P999: q(99.9), HDR: enc,
	}, nil
}
