package campaign

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/session"
)

// gateDesign is how the gate compares a chart with its previous release: as steamer compare does,
// but for 36 pairs at most, 10 min, and with the largest margin that a gate accepts, which that
// many pairs can decide on a noisy machine, too.
func gateDesign() compare.Design {
	d := compare.DefaultDesign()
	d.MaxPairs, d.Budget = 36, 12*60
	d.GateMetrics = compare.DefaultGate(gate.DefaultMargin)
	return d
}

// gateComparison compares the chart that the gate judges with its previous release.
type gateComparison struct {
	comparison *Comparison
	on         *compare.Cluster
}

// compares says why the gate compares nothing; it is empty where it does: where it knows the
// previous release, was given no comparison, and has a cluster of its own. With Gate.Compared the
// reason is an error of code exit.Invalid.
func (g *Gate) compares(p plan.Plan, with *gate.Evidence) (why string, err error) {
	refused := func(hint, format string, args ...any) error { return exit.Invalidf("--compare", hint, format, args...) }
	switch {
	case g.Uncompared:
		return "--compare=false", nil
	case p.Cluster.Existing():
		why, err = "on an existing cluster pods are observed too coarsely, and fetches go through its API server",
			refused("hand in a comparison made elsewhere with --with",
				"the gate compares charts on a cluster of its own, not on an existing one")
	case p.Previous == "":
		why, err = "the chart's previous release is not known; --previous names it", refused("name it with --previous",
			"the previous release is not known")
	case !g.Compared && with != nil && len(with.Comparisons) > 0:
		return "--with has a comparison", nil
	}
	if !g.Compared {
		err = nil
	}
	return why, err
}

// comparison prepares the comparison with p.Previous, and refuses what would keep it from its end,
// before anything is run. r brings up the platform of the gate's run. The sides get the same
// values, and a cluster beside the run's, which may be kept.
func (g *Gate) comparison(ctx context.Context, sess *session.Session, r *platform.Provider, p plan.Plan) (
	*gateComparison, error,
) {
	base, err := chart.Load(p.Previous)
	if err != nil {
		return nil, err
	}
	a, b := base.Info(), r.Plan.Chart.Info()
	const hint = "name the release before with --previous, or leave the comparison out with --compare=false"
	switch {
	case a.Name != b.Name:
		return nil, exit.Invalidf("--previous "+p.Previous, hint, "it is %s %s, no release of %s", a.Name, a.Version, b.Name)
	case a.Digest == b.Digest:
		return nil, exit.Invalidf("--previous "+p.Previous, hint, "it is the chart to judge itself, %s %s", a.Name, a.Version)
	}
	quarantine, err := compare.ReadQuarantine(g.Quarantine)
	if err != nil {
		return nil, err
	}
	c := &gateComparison{comparison: &Comparison{Design: gateDesign(), Quarantine: quarantine}}
	ground, d := &c.comparison.Ground, plan.Default(r.Root)
	ground.Topology = p.Topologies[0]
	port := 0
	if p.Cluster.Port != 0 { // else free ones are chosen
		port, ground.SecondPort = p.Cluster.Port+1, p.Cluster.Port+2
	}
	ground.Plan = plan.Plan{ // what is about the load of the run, or about its cluster's life, stays with the run
		APIVersion: d.APIVersion, Kind: d.Kind, Dialect: p.Dialect, Tier: p.Tier, Profile: d.Profile,
		ReadyTimeout: p.ReadyTimeout, Images: maps.Clone(p.Images),
		Cluster: plan.ClusterPlan{
			Name: beside(p.Cluster.Name, "-gate"), Config: p.Cluster.Config, Port: port,
			TTL: p.Cluster.TTL,
		},
	}
	delete(ground.Plan.Images, images.K6) // of load from pods, which a comparison does not have
	var sides [2]compare.ClusterSide
	for i, s := range []*chart.Chart{base, r.Plan.Chart} {
		sides[i] = compare.ClusterSide{
			Name: near([]string{p.Previous, p.Chart}[i]), Chart: s, Overrides: r.Plan.Overrides,
		}
	}
	if c.on, err = ground.on(ctx, sess, sides, &c.comparison.Design); err != nil {
		return nil, fmt.Errorf("comparison with the previous release (--compare=false leaves it out): %w", err)
	}
	c.on.Provider.Plan.Profile.JobTokens = r.Plan.Profile.JobTokens
	return c, nil
}

// beside is the name of a cluster beside one that was named; where none was, one is chosen.
func beside(name, suffix string) string {
	if name == "" {
		return ""
	}
	return name + suffix
}

// near is a path as the user would write it: relative where it lies below the working directory.
// Reports need not say where on a machine that is.
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
func (c *gateComparison) do(ctx context.Context, sess *session.Session, dir string) (path string, err error) {
	c.comparison.Output = dir
	doc, own, driven := c.comparison.drive(ctx, sess, c.on)
	if doc == nil {
		return "", driven
	}
	err = errors.Join(driven, c.comparison.write(doc, own))
	if doc.A.Chart == nil || doc.B.Chart == nil {
		return "", err
	}
	return filepath.Join(own, compare.JSONFile), err
}
