package load

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// DefaultTolerance is how much later than the first a process may begin: more than the seconds of
// the log and the time for making VUs explain.
const DefaultTolerance = 3 * time.Second

// Late is how many seconds after the first a process with one of n shares of a rate may have its
// first fetch: a share of a low rate may have it later.
func Late(tolerance time.Duration, n int, rate float64) float64 {
	return tolerance.Seconds() + 2*float64(n)/rate
}

// CheckShares says why processes did not drive one load together: shares that are missing, that
// several had, or that a log does not tell, and processes that began too late after the first.
// rate is of all, in fetches per second.
func CheckShares(parts []result.LoadPart, tolerance time.Duration, rate float64) []string {
	problems := coverage(parts)
	for _, p := range parts {
		if late := Late(tolerance, len(parts), rate); p.LateSeconds > late {
			problems = append(problems, fmt.Sprintf("%s began %.0f s after the first, more than %.0f s", p.Name, p.LateSeconds,
				late))
		}
	}
	return problems
}

// piece is a part's share of the schedule.
type piece struct {
	name     string
	from, to *big.Rat
}

// coverage compares the shares with the whole.
func coverage(parts []result.LoadPart) []string {
	var problems []string
	var pieces []piece
	for _, p := range parts {
		from, to, err := parseSegment(p.Segment)
		if err != nil {
			problems = append(problems, p.Name+": "+err.Error())
			continue
		}
		pieces = append(pieces, piece{p.Name, from, to})
	}
	if len(problems) > 0 {
		return problems // what is unknown may be what would be missing
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return a.from.Cmp(b.from) })
	reached, by := new(big.Rat), ""
	for _, p := range pieces {
		switch p.from.Cmp(reached) {
		case 1:
			problems = append(problems, fmt.Sprintf("the share %s:%s is missing", reached.RatString(), p.from.RatString()))
		case -1:
			problems = append(problems, fmt.Sprintf("%s and %s had the same share of the schedule, or part of it", by, p.name))
		}
		if p.to.Cmp(reached) > 0 {
			reached, by = p.to, p.name
		}
	}
	if one := big.NewRat(1, 1); reached.Cmp(one) < 0 {
		problems = append(problems, fmt.Sprintf("the share %s:1 is missing", reached.RatString()))
	}
	return problems
}

// parseSegment reads k6's form of an execution segment, FROM:TO in fractions of 1.
func parseSegment(text string) (from, to *big.Rat, err error) {
	if text == "" {
		return nil, nil, fmt.Errorf("its log does not say which share of the schedule it had; an older extension wrote it")
	}
	a, b, ok := strings.Cut(text, ":")
	if ok && len(text) < 100 { // a Rat takes exponents and grows without bound
		var fromOK, toOK bool
		from, fromOK = new(big.Rat).SetString(a)
		to, toOK = new(big.Rat).SetString(b)
		ok = fromOK && toOK && !strings.ContainsAny(text, "eEpP") && from.Sign() >= 0 && from.Cmp(to) < 0 &&
			to.Cmp(big.NewRat(1, 1)) <= 0
	} else {
		ok = false
	}
	if !ok {
		return nil, nil, fmt.Errorf("%q is not a share of a schedule; want FROM:TO from 0 to 1", text)
	}
	return from, to, nil
}
