package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Number prints up to three significant digits without an exponent; small values have two.
func Number(v float64) string {
	a := math.Abs(v)
	decimals := 2
	switch {
	case a >= 100:
		decimals = 0
	case a >= 10:
		decimals = 1
	case a < 0.1 && a > 0:
		decimals = min(max(3, 1-int(math.Floor(math.Log10(a)))), 9)
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// Percent prints a share of 1.
func Percent(share float64) string { return Number(100*share) + " %" }

// WithUnit prints a number with its unit, which may be empty.
func WithUnit(v float64, unit string) string { return strings.TrimSpace(Number(v) + " " + unit) }

// Milliseconds prints milliseconds, from a second on as seconds.
func Milliseconds(v float64) string {
	if v >= 1000 {
		return Number(v/1000) + " s"
	}
	return Number(v) + " ms"
}

// Span prints seconds as a reader says them.
func Span(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case seconds < 60:
		return Number(seconds) + " s"
	case d < time.Hour && int(d.Seconds())%60 == 0:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
}

// Moment prints a time in UTC, since reports travel.
func Moment(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// Count prints an integer with thin groups of three digits.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Plural prints a count with its noun.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
