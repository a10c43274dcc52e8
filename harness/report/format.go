package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// sig prints three significant digits without exponent.
func sig(v float64) string {
	a := math.Abs(v)
	decimals := 2
	switch {
	case a >= 100:
		decimals = 0
	case a >= 10:
		decimals = 1
	case a < 0.1 && a > 0:
		decimals = 3
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// ms prints milliseconds, from a second on as seconds.
func ms(v float64) string {
	if v >= 1000 {
		return sig(v/1000) + " s"
	}
	return sig(v) + " ms"
}

// span prints seconds as a reader says them.
func span(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case seconds < 60:
		return sig(seconds) + " s"
	case d < time.Hour && int(d.Seconds())%60 == 0:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
}

// moment prints a time in UTC, since reports travel.
func moment(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// count prints an integer with thin groups of three digits.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural prints a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// typeset writes comparisons the way readers do.
func typeset(s string) string { return strings.NewReplacer("<= ", "≤ ", ">= ", "≥ ").Replace(s) }
