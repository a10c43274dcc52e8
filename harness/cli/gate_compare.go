package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/readiness"
	"gitlab.com/steamer/steamer/harness/run"
)

// gateDesign is how the gate compares a chart with its previous release: as steamer compare does, but for 36 pairs at most, 9 min, and with the largest
// margin that a gate accepts, which that many pairs can decide on a noisy machine, too. A kubelet, which
// has to do where there is no node to look into, tells every 10 s or so what its pods use, and slices have to be longer.
func gateDesign(existing bool) compare.Design {
	d := compare.DefaultDesign()
	d.MaxPairs, d.Budget = 36, 12*60
	d.SetGate(compare.DefaultGate(), readiness.DefaultMargin)
	if existing {
		d.Slice, d.Warmup = 60, 15
	}
	return d
}

// gateComparison compares the chart that the gate judges with its previous release.
type gateComparison struct {
	flags *compareFlags
	run   *run.Run
	sides [2]side
}

// comparison prepares the comparison with p.Previous, and refuses what would keep it from its end, before anything is run. r is the gate's run.
// The sides get the same values, and a cluster beside the run's, which may be kept.
func (f *gateFlags) comparison(ctx context.Context, state *State, r *run.Run, p plan.Plan) (*gateComparison, error) {
	base, err := chart.Load(p.Previous)
	if err != nil {
		return nil, err
	}
	a, b := base.Info(), r.Plan.Chart.Info()
	const mend = "name the release before with --previous, or leave the comparison out with --compare=false"
	switch {
	case a.Name != b.Name:
		return nil, exit.Invalidf("--previous "+p.Previous, mend, "it is %s %s, no release of %s", a.Name, a.Version, b.Name)
	case a.Digest == b.Digest:
		return nil, exit.Invalidf("--previous "+p.Previous, mend, "it is the chart to judge itself, %s %s", a.Name, a.Version)
	}
	c := &gateComparison{flags: &compareFlags{design: gateDesign(p.Cluster.Existing())}}
	cluster := &c.flags.cluster
	cluster.plan, cluster.topology = p, p.Topologies[0]
	cluster.plan.Values, cluster.plan.InCluster, cluster.plan.Repeat = nil, nil, 0
	cluster.plan.Cluster.Reuse, cluster.plan.Cluster.Keep = false, false
	if !p.Cluster.Existing() {
		cluster.plan.Cluster.Name = p.Cluster.Name + "-compare"
	}
	cluster.plan.Cluster.Port, cluster.secondPort = p.Cluster.Port+1, p.Cluster.Port+2
	for i, s := range []*chart.Chart{base, r.Plan.Chart} {
		c.sides[i] = side{text: near([]string{p.Previous, p.Chart}[i]), chart: s, overrides: r.Plan.Overrides}
	}
	if c.run, err = cluster.ground(ctx, state, c.sides, &c.flags.design); err != nil {
		return nil, fmt.Errorf("comparison with the previous release (--compare=false leaves it out): %w", err)
	}
	return c, nil
}

// compares reports whether the gate is to compare: unless told otherwise where it knows the previous release and was given no comparison.
func (f *gateFlags) compares(given bool, p plan.Plan, with *readiness.Evidence) (bool, error) {
	switch {
	case !f.compare, !given && (p.Previous == "" || with != nil && len(with.Comparisons) > 0):
		return false, nil
	case p.Previous == "":
		return false, exit.Invalidf("--compare", "name it with --previous", "the previous release is not known")
	}
	return true, nil
}

// near is a path as the user would write it: relative where it lies below the working directory. Reports need not say where on a machine that is.
func near(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsAbs(path) && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// do compares below dir, and returns the record if there is one that says what was compared.
func (c *gateComparison) do(ctx context.Context, state *State, dir string, q *compare.Quarantine) (path string, err error) {
	c.flags.output = dir
	doc, own, driven := c.flags.drive(ctx, state, c.run, c.sides, q)
	if doc == nil {
		return "", driven
	}
	err = errors.Join(driven, c.flags.write(doc, own))
	if doc.A.Chart == nil || doc.B.Chart == nil {
		return "", err
	}
	return filepath.Join(own, compare.JSONFile), err
}
