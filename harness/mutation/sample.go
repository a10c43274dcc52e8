package mutation

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Sample says which part of the mutants that need a cluster was tried. The others are tried
// anyway.
type Sample struct {
	Size int    `json:"size"` // how many were drawn
	Of   int    `json:"of"`   // from how many
	Seed uint64 `json:"seed"` // draws the same ones from the same mutants
}

// Draw keeps the mutants that need no cluster and draws size of the others, in the order of list.
func Draw(list []Mutant, size int, seed uint64) ([]Mutant, *Sample) {
	var there []string
	for _, m := range list {
		if !m.Local() {
			there = append(there, m.ID)
		}
	}
	sample := &Sample{Size: min(size, len(there)), Of: len(there), Seed: seed}
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // which mutants are tried is no secret
	random.Shuffle(len(there), func(i, j int) { there[i], there[j] = there[j], there[i] })
	drawn := there[:sample.Size]
	return slices.DeleteFunc(slices.Clone(list), func(m Mutant) bool {
		return !m.Local() && !slices.Contains(drawn, m.ID)
	}), sample
}

// String says how the sample was drawn.
func (s *Sample) String() string {
	return fmt.Sprintf("%d of %d mutants that need a cluster, drawn with seed %d", s.Size, s.Of, s.Seed)
}
