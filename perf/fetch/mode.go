package fetch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Mode is a way of working with secrets that exists in the field.
type Mode string

// The modes.
const (
	// Inline is GitLab Runner's way: one GET that carries the job's token as inline authentication.
	Inline Mode = "inline"
	// LoginRead is Runner's way with HashiCorp Vault's protocol: a login, then a GET with the
	// client token, which is left to expire.
	LoginRead Mode = "login-read"
	// LoginReadRevoke is LoginRead by a client that revokes its token at the end, as Runner does
	// not.
	LoginReadRevoke Mode = "login-read-revoke"
	// Rails is GitLab itself writing secrets on a user's behalf.
	Rails Mode = "rails"
	// Mixed draws one of the others for each unit of work.
	Mixed Mode = "mixed"
)

// Modes returns all modes.
func Modes() []string {
	return []string{string(Inline), string(LoginRead), string(LoginReadRevoke), string(Rails), string(Mixed)}
}

// Operation is one thing that Rails does with secrets.
type Operation string

// The operations.
const (
	Create Operation = "create"
	Update Operation = "update"
	List   Operation = "list"
	Delete Operation = "delete"
)

// Operations returns all operations.
func Operations() []string {
	return []string{string(Create), string(Update), string(List), string(Delete)}
}

// Weights draws names in proportion to their weights. It is read-only after NewWeights.
type Weights struct {
	names []string
	upTo  []float64 // running sums
}

// NewWeights checks weights, which need not add up to anything: each is 0 or more, one at least is
// above 0, and all names are of the allowed ones.
func NewWeights(weights map[string]float64, allowed []string) (*Weights, error) {
	w, sum := &Weights{}, 0.0
	for _, name := range allowed { // in a fixed order, so that a seed gives the same sequence
		weight, ok := weights[name]
		switch {
		case !ok || weight == 0:
			continue
		case !(weight > 0) || weight > 1e9:
			return nil, fmt.Errorf("weight of %s is %v: want 0 to a thousand million", name, weight)
		}
		sum += weight
		w.names, w.upTo = append(w.names, name), append(w.upTo, sum)
	}
	for name := range weights {
		if !slices.Contains(allowed, name) {
			return nil, fmt.Errorf("there is no %q; want %s", name, strings.Join(allowed, ", "))
		}
	}
	if sum == 0 {
		return nil, fmt.Errorf("no weight is above 0; name some of %s", strings.Join(allowed, ", "))
	}
	return w, nil
}

// Has reports whether name can be drawn.
func (w *Weights) Has(name string) bool { return slices.Contains(w.names, name) }

// Draw returns a name.
func (w *Weights) Draw(rng *rand.Rand) string {
	if len(w.names) == 1 {
		return w.names[0]
	}
	x := rng.Float64() * w.upTo[len(w.upTo)-1]
	i, _ := slices.BinarySearchFunc(w.upTo, x, func(sum, x float64) int {
		if sum <= x {
			return -1
		}
		return 1
	})
	return w.names[min(i, len(w.names)-1)]
}
