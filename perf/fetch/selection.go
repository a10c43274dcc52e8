package fetch

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
)

// Selection is how tenants are chosen.
type Selection struct {
	// Choice is "uniform" (or empty), "zipf", "hot" or "cold".
	Choice string
	// Exponent s of zipf: the tenant of rank k, the k-th of the fixture, is drawn in proportion to
	// 1/k^s. Above 0, at most 10.
	Exponent float64
	// HotTenants is how many tenants, the first of the fixture, are the hot set.
	HotTenants int
	// HotShare of the fetches, above 0 and at most 1, goes to the hot set, the rest to all others.
	HotShare float64
}

// choices are the values of Selection.Choice.
func choices() []string { return []string{"uniform", "zipf", "hot", "cold"} }

// Check refuses a selection that cannot be made from p.
func (s Selection) Check(p *Plan) error {
	if s.Choice != "" && !slices.Contains(choices(), s.Choice) {
		return fmt.Errorf("choice %q is unknown; want %s", s.Choice, strings.Join(choices(), ", "))
	}
	switch {
	case s.Choice == "zipf" && (!(s.Exponent > 0) || s.Exponent > 10):
		return fmt.Errorf("exponent %v: want above 0 and at most 10", s.Exponent)
	case s.Choice != "hot":
		return nil
	case !(s.HotShare > 0) || s.HotShare > 1:
		return fmt.Errorf("hotShare %v: want above 0 and at most 1", s.HotShare)
	case s.HotTenants < 1 || s.HotTenants > len(p.tenants) || s.HotTenants == len(p.tenants) && s.HotShare < 1:
		return fmt.Errorf("hotTenants %d: want 1 to fewer than the %d tenants of the fixture", s.HotTenants, len(p.tenants))
	}
	return nil
}

// Part is the share of the tenants that belongs to one process of several, where processes must
// not share tenants: in the mode rails, whose exclusive lease is held in memory, and for "cold".
// Adjacent execution segments have adjacent parts.
type Part struct{ from, to int }

// PartOf returns the tenants from × n to to × n, for 0 <= from < to <= 1.
func (p *Plan) PartOf(from, to *big.Rat) (Part, error) {
	at := func(x *big.Rat) int {
		y := new(big.Rat).Mul(x, big.NewRat(int64(len(p.tenants)), 1))
		return int(new(big.Int).Div(y.Num(), y.Denom()).Int64()) // rounded down, on both sides alike
	}
	part := Part{at(from), at(to)}
	if part.from >= part.to {
		return part, fmt.Errorf("none of the %d tenants is left for execution segment %s:%s: "+
			"provision more tenants, or use fewer processes", len(p.tenants), from.RatString(), to.RatString())
	}
	return part, nil
}

// Whole is all tenants.
func (p *Plan) Whole() Part { return Part{0, len(p.tenants)} }

// tenant draws the number of a tenant.
func (s *Selection) tenant(p *Plan, part Part, rng *rand.Rand) int {
	switch s.Choice {
	case "zipf":
		sums := p.zipf(s.Exponent)
		x := rng.Float64() * sums[len(sums)-1]
		i, _ := slices.BinarySearch(sums, x)
		return min(i, len(sums)-1)
	case "hot":
		if rng.Float64() < s.HotShare {
			return rng.IntN(s.HotTenants)
		}
		return s.HotTenants + rng.IntN(len(p.tenants)-s.HotTenants)
	case "cold":
		n := p.passed.Add(1) - 1
		return part.from + int(n%uint64(part.to-part.from)) // #nosec G115 -- below the number of tenants
	default:
		return rng.IntN(len(p.tenants))
	}
}

// zipf returns the running sums of 1/k^s over the tenants, made once for all VUs.
func (p *Plan) zipf(s float64) []float64 {
	if sums, ok := p.sums.Load(s); ok {
		return sums.([]float64) //nolint:forcetypeassert // nothing else is stored
	}
	sums, sum := make([]float64, len(p.tenants)), 0.0
	for k := range sums {
		sum += math.Pow(float64(k+1), -s)
		sums[k] = sum
	}
	stored, _ := p.sums.LoadOrStore(s, sums)
	return stored.([]float64) //nolint:forcetypeassert // nothing else is stored
}

// Select draws a tenant as s says, then uniformly one of its secrets and one of its job tokens.
func (p *Plan) Select(s *Selection, part Part, rng *rand.Rand) Choice {
	c := Choice{tenant: s.tenant(p, part, rng)}
	t := &p.tenants[c.tenant]
	c.secret = rng.IntN(len(t.secrets))
	c.job = pick(rng, len(t.jobs))
	return c
}

// pick draws one of n, without spending a random number on a choice of one.
func pick(rng *rand.Rand, n int) int {
	if n == 1 {
		return 0
	}
	return rng.IntN(n)
}
