package campaign

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/session"
)

// gateFaults breaks the chart that the gate judges, on a cluster beside the run's.
type gateFaults struct {
	Faults
	sess      *session.Session
	root      string
	plan      plan.Plan
	schedules map[string]*faults.Schedule
}

// faults draws what the gate breaks, before anything is run; nil without Gate.Faults.
func (g *Gate) faults(sess *session.Session, root string, p plan.Plan, policy *gate.Policy) (*gateFaults, error) {
	if g.Faults == 0 {
		if len(g.FaultKinds) > 0 {
			return nil, exit.Invalidf("--fault-kinds", "say how many with --faults", "no faults are to be done")
		}
		return nil, nil
	}
	if !slices.Contains(policy.Required, gate.Faults) {
		policy.Required = append(policy.Required, gate.Faults)
	}
	f := &gateFaults{Faults: Faults{Options: UsualFaults(), Silent: true}, sess: sess, root: root, plan: p}
	f.Rate, f.Audit = ClusterRate, false
	f.plan.Cluster.Name = beside(p.Cluster.Name, "-faults")
	seed := rand.Uint64()
	var err error
	if f.schedules, err = Schedules(p, func(place faults.Place) (*faults.Schedule, error) {
		return faults.DrawFor(place, seed, g.Faults, g.FaultKinds)
	}); err != nil {
		return nil, fmt.Errorf("faults (--faults=0 leaves them out): %w", err)
	}
	return f, nil
}

// do breaks the chart in each topology, and returns the histories, also those of a run that did
// not reach its end.
func (f *gateFaults) do(ctx context.Context, dir string) ([]string, error) {
	f.plan.Output = dir
	_, err := f.OnCluster(ctx, f.sess, f.root, f.plan, f.schedules, false)
	histories, globErr := filepath.Glob(filepath.Join(dir, "faults-*", history.FileName))
	if globErr != nil {
		return nil, globErr
	}
	return histories, err
}
