package compare

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/load"
)

// Turner drives both arms by one load generator, in the order of a string of A and B.
type Turner interface {
	DriveTurns(ctx context.Context, name, order string, d Design) ([]Measurement, error)
}

// minTurnGap is the least pause between slices driven by turns, in seconds: answers still on their
// way belong to the slice before.
const minTurnGap = 0.1

// turns drives pairs until the next look in one go.
func (e *Engine) turns(ctx context.Context, c *Comparison, orders []string) error {
	d := c.Design
	warm := strings.Repeat("AB", int(math.Ceil(d.Warmup/d.Slice)))
	name := fmt.Sprintf("%03d-turns", len(c.Pairs)+1)
	all, err := e.Turns.DriveTurns(ctx, name, warm+strings.Join(orders, ""), d)
	if err != nil {
		return fmt.Errorf("turns %s: %w", name, err)
	}
	all = all[len(warm):]
	for i, order := range orders {
		first, second := all[2*i].turn(e.Validity), all[2*i+1].turn(e.Validity)
		p := Pair{Order: order, A: first, B: second}
		if order == "BA" {
			p.A, p.B = second, first
		}
		c.Pairs = append(c.Pairs, p)
		if e.After != nil {
			e.After(p)
		}
	}
	return nil
}

// LocalTurns drives two local arms by turns.
type LocalTurns struct{ A, B *LocalArm }

// DriveTurns runs one k6 for both while the processes of both are watched.
func (l LocalTurns) DriveTurns(ctx context.Context, name, order string, d Design) ([]Measurement, error) {
	p := d.profile()
	t := load.Turns{Name: name, Order: order, Profile: p, Rate: d.Rate, Gap: duration(d.Idle)}
	length := time.Duration(len(order)) * duration(d.Slice+d.Idle)
	arms := [2]*LocalArm{l.A, l.B}
	for i, arm := range arms {
		if err := arm.cutAudit(); err != nil {
			return nil, err
		}
		var err error
		if t.Fixtures[i], err = arm.fixture(length); err != nil {
			return nil, err
		}
		t.Targets[i] = arm.target()
	}
	var watches [2]*processWatch
	for i, arm := range arms {
		openbao, postgres := arm.server.PIDs()
		watches[i] = watchProcesses(openbao, postgres, turnSample)
	}
	runner := load.Runner{Binary: l.A.K6, Scripts: l.A.Scripts, Dir: l.A.Dir}
	loads, err := runner.Turns(ctx, t)
	var seen [2]Measurement
	for i, w := range watches {
		seen[i].Resources, seen[i].Events = w.stop()
	}
	if err != nil {
		return nil, err
	}
	out := make([]Measurement, len(order))
	for i, arm := range order {
		out[i] = seen[arm-'A']
		out[i].Load = loads[i]
	}
	return out, nil
}
