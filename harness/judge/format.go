package judge

import (
	"math"
	"strconv"
)

// num prints three significant digits, whole numbers from 1000 on.
func num(v float64) string {
	if math.Abs(v) >= 1000 || v == math.Trunc(v) {
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Percent prints a share of 1 as a percentage with up to one decimal.
func Percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1000)/10, 'f', -1, 64) + " %"
}

// precise prints a share of 1 with two significant digits.
func precise(share float64) string {
	return strconv.FormatFloat(100*share, 'g', 2, 64) + " %"
}
