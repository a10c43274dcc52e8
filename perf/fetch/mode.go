package fetch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Mode is what a client does with secrets.
type Mode string

// The modes.
const (
	// Inline is what GitLab Runner does: one GET with the job's token as inline authentication.
	Inline Mode = "inline"
	// loginRead is what Runner does with HashiCorp Vault: a login, then a GET with the client
	// token, which expires by itself.
	loginRead Mode = "login-read"
	// loginReadRevoke is loginRead with the token's revocation, which Runner does not send.
	loginReadRevoke Mode = "login-read-revoke"
	// Rails is GitLab itself writing secrets on a user's behalf.
	Rails Mode = "rails"
	// Mixed draws one of the others for each unit of work.
	Mixed Mode = "mixed"
)

// Modes returns all modes.
func Modes() []string {
	return []string{string(Inline), string(loginRead), string(loginReadRevoke), string(Rails), string(Mixed)}
}

// Operation is one thing that Rails does with secrets.
type Operation string

// The operations.
const (
	opCreate Operation = "create"
	opUpdate Operation = "update"
	opList   Operation = "list"
	opDelete Operation = "delete"
)

// Operations returns all operations.
func Operations() []string {
	return []string{string(opCreate), string(opUpdate), string(opList), string(opDelete)}
}

// Weights draws names in proportion to their weights. It is read-only after NewWeights.
type Weights struct {
	names []string
	upTo  []float64 // running sums
}

// NewWeights checks weights, whose sum may be anything: each is 0 or more, at least one is above
// 0, and all names are allowed ones.
func NewWeights(weights map[string]float64, allowed []string) (*Weights, error) {
	w, sum := &Weights{}, 0.0
	for _, name := range allowed { // in a fixed order, so that a seed gives the same sequence
		weight, ok := weights[name]
		switch {
		case !ok || weight == 0:
			continue
		case !(weight > 0) || weight > 1e9:
			return nil, fmt.Errorf("weight of %s is %v: want 0 to 1e9", name, weight)
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
