package fetch

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// tenants makes a plan of n tenants named by their numbers, with one secret each.
func tenants(t *testing.T, n int) *Plan {
	t.Helper()
	fx := &fixture.Fixture{Version: 2, Target: "http://127.0.0.1:1"}
	for i := range n {
		fx.Tenants = append(fx.Tenants, fixture.Tenant{
			Name: fmt.Sprint(i), SecretPath: "p", AuthPath: "a", Role: "r", JWT: "a.b.c", JWTs: []string{"a.b.d"},
			Secrets: []fixture.Secret{{Name: "S"}},
		})
	}
	plan, err := NewPlan(fx)
	require.NoError(t, err)
	return plan
}

func draw(p *Plan, s Selection, part Part, n int) map[string]int {
	rng, drawn := rand.New(rand.NewPCG(7, 3)), map[string]int{}
	for range n {
		drawn[p.Name(p.Select(&s, part, rng))]++
	}
	return drawn
}

func TestSelections(t *testing.T) {
	t.Parallel()
	const n, draws = 20, 40_000
	p := tenants(t, n)
	// inBinomial allows five standard deviations.
	inBinomial := func(t *testing.T, share float64, got int) {
		t.Helper()
		require.InDelta(t, share*draws, got, 5*math.Sqrt(draws*share*(1-share)))
	}
	t.Run("zipf", func(t *testing.T) {
		t.Parallel()
		drawn, sum := draw(p, Selection{Choice: "zipf", Exponent: 1.2}, p.Whole(), draws), 0.0
		for k := range n {
			sum += math.Pow(float64(k+1), -1.2)
		}
		for k := range n {
			inBinomial(t, math.Pow(float64(k+1), -1.2)/sum, drawn[fmt.Sprint(k)])
		}
	})
	t.Run("hot", func(t *testing.T) {
		t.Parallel()
		drawn := draw(p, Selection{Choice: "hot", HotTenants: 2, HotShare: 0.9}, p.Whole(), draws)
		for k := range n {
			share := 0.1 / (n - 2)
			if k < 2 {
				share = 0.45
			}
			inBinomial(t, share, drawn[fmt.Sprint(k)])
		}
	})
	t.Run("cold", func(t *testing.T) {
		t.Parallel()
		p := tenants(t, n) // which tenant comes next is the plan's to know
		for pass := range 3 {
			drawn := draw(p, Selection{Choice: "cold"}, p.Whole(), n)
			require.Len(t, drawn, n, "pass %d: each once", pass)
		}
	})
	t.Run("jobs", func(t *testing.T) {
		t.Parallel()
		rng, seen := rand.New(rand.NewPCG(1, 1)), map[Choice]int{}
		for range draws {
			seen[choose(p, rng)]++
		}
		require.Len(t, seen, 2*n, "two tokens of each tenant")
	})
}

// TestParts checks that the parts of execution segments are disjoint and leave nothing out.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 4, 10, 11} {
		p, seen := tenants(t, n), map[string]int{}
		for i := range int64(3) {
			part, err := p.PartOf(big.NewRat(i, 3), big.NewRat(i+1, 3))
			require.NoError(t, err)
			for range n { // more than the part has, in full passes only if it were the whole
				seen[p.Name(p.Select(&Selection{Choice: "cold"}, part, rand.New(rand.NewPCG(1, 1))))] |= 1 << i
			}
		}
		require.Len(t, seen, n)
		for name, parts := range seen {
			require.Contains(t, []int{1, 2, 4}, parts, "tenant %s of %d belongs to one process", name, n)
		}
	}
	_, err := tenants(t, 2).PartOf(big.NewRat(0, 1), big.NewRat(1, 3))
	require.ErrorContains(t, err, "none of the 2 tenants is left for execution segment 0:1/3: provision more")
}

func TestWeights(t *testing.T) {
	t.Parallel()
	w, err := NewWeights(map[string]float64{"inline": 3, "rails": 1, "mixed": 0}, Modes())
	require.NoError(t, err)
	drawn, rng := map[string]int{}, rand.New(rand.NewPCG(1, 1))
	for range 40_000 {
		drawn[w.Draw(rng)]++
	}
	require.Len(t, drawn, 2)
	require.InDelta(t, 30_000, drawn["inline"], 433)
	require.True(t, w.Has("rails"))
	require.False(t, w.Has("mixed"))
	for want, weights := range map[string]map[string]float64{
		`there is no "telepathy"`:   {"telepathy": 1, "inline": 1},
		"no weight is above 0":      {"inline": 0},
		"weight of inline is -1":    {"inline": -1},
		"weight of inline is NaN":   {"inline": math.NaN()},
		"no weight is above 0; nam": {},
	} {
		_, err := NewWeights(weights, Modes())
		require.ErrorContains(t, err, want)
	}
}
