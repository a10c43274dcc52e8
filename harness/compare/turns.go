package compare

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/target"
)

// minTurnGap is the least pause between slices driven by turns, in seconds: answers still on their
// way belong to the slice before.
const minTurnGap = 0.1

// turns drives the pairs until the next interim analysis in one go.
func (e *Engine) turns(ctx context.Context, c *Comparison, orders []string) error {
	d := c.Design
	warm := strings.Repeat("AB", int(math.Ceil(d.Warmup/d.Slice)))
	name := fmt.Sprintf("%03d-turns", len(c.Pairs)+1)
	turner, ok := e.targets[0].(target.Turner)
	if !ok {
		return errors.New("these systems cannot be driven by turns")
	}
	all, err := turner.DriveTurns(ctx, e.targets[1], load.Turns{
		Name: name, Order: warm + strings.Join(orders, ""), Profile: d.profile(), Rate: d.Rate, Gap: duration(d.Idle),
	})
	if err != nil {
		return fmt.Errorf("turns %s: %w", name, err)
	}
	all = all[len(warm):]
	for i, order := range orders {
		first, second := turn(&all[2*i].Topology, e.Validity), turn(&all[2*i+1].Topology, e.Validity)
		p := Pair{Order: order, A: first, B: second}
		if order == "BA" {
			p.A, p.B = second, first
		}
		c.Pairs = append(c.Pairs, p)
	}
	return nil
}
