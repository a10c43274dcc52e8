package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/kind"
	"gitlab.com/steamer/steamer/harness/topology"
)

// ClusterSide is a chart that is installed on the cluster that the other side is on, too, in
// namespaces and with a database of its own.
type ClusterSide struct {
	Name      string // as the user wrote it
	Chart     *chart.Chart
	Overrides map[string]any    // over the values of the dialect
	Images    map[string]string // references that this side alone gets, by images.OpenBao and images.PostgreSQL
}

// describe names the chart and what is special about the side.
func (s ClusterSide) describe() string {
	info := s.Chart.Info()
	text := fmt.Sprintf("%s (chart %s %s)", s.Name, info.Name, info.Version)
	for _, name := range slices.Sorted(maps.Keys(s.Images)) {
		text += fmt.Sprintf(", image %s=%s", name, s.Images[name])
	}
	return text
}

// Cluster compares two charts on one cluster.
type Cluster struct {
	Provider *platform.Provider // of a cluster with a second port, for one topology
	Sides    [2]ClusterSide
	Delayed  bool // drive both through a proxy, so that one can be delayed
}

// Preflight renders both charts, and finds out whether the cluster can be had.
func (c *Cluster) Preflight(ctx context.Context) error {
	name := c.Provider.Plan.Topologies[0]
	a, b := c.Sides[0].spec(c.Provider.Spec(name)), c.Sides[1].spec(c.Provider.Spec(name))
	return c.Provider.Preflight(ctx, platform.Wanted{Name: c.Sides[0].Name, Spec: a},
		platform.Wanted{Name: c.Sides[1].Name, Spec: platform.Second(b)})
}

// spec is the plan's environment with the chart of the side.
func (s ClusterSide) spec(planned topology.Spec) topology.Spec {
	planned.Chart, planned.Overrides = s.Chart, s.Overrides
	return planned
}

// Run brings up the cluster, opens both sides with the engine's other settings, and calls drive.
// Then everything is removed, also after ctx was cancelled. The logs of k6 go into the directory
// logs.
func (c *Cluster) Run(ctx context.Context, doc *Comparison, s *steps.Steps, engine *Engine, logs string,
	drive func(context.Context) error,
) (err error) {
	defer func() { err = errors.Join(err, s.Clean(ctx)) }()
	p, err := c.Provider.Up(ctx, doc.ID, s)
	if err != nil {
		return err
	}
	if engine.A, err = c.side(p, 0, doc.Design, logs); err != nil {
		return err
	}
	if engine.B, err = c.side(p, 1, doc.Design, logs); err != nil {
		return err
	}
	s.Cleanup("A and B", engine.Close)
	err = s.Do(ctx, "", "install and provision A and B", func(ctx context.Context) error {
		return engine.Prepare(ctx, doc)
	})
	if err != nil {
		return err
	}
	return s.Do(ctx, "", "drive A and B", drive)
}

// side is a side of the comparison on a platform that is up.
func (c *Cluster) side(p *platform.Platform, i int, d Design, logs string) (Side, error) {
	own := c.Sides[i]
	spec := own.spec(p.Spec(c.Provider.Plan.Topologies[0]))
	if i == 1 {
		spec = platform.Second(spec)
	}
	spec.Images.OpenBao = cmp.Or(p.Image(own.Images[images.OpenBao]), spec.Images.OpenBao)
	spec.Images.PostgreSQL = cmp.Or(p.Image(own.Images[images.PostgreSQL]), spec.Images.PostgreSQL)
	recipes, err := d.Recipes()
	return Side{Description: own.describe(), Open: func(ctx context.Context) (target.Target, error) {
		t, err := kind.Open(ctx, p, kind.Options{
			Spec: spec, Secrets: d.Secrets, Recipes: recipes, Dir: logs, Steady: true, Last: true, Label: arms[i] + ": ",
		})
		if err != nil {
			return nil, err
		}
		if c.Delayed {
			if err := t.SetDelay(0); err != nil {
				return nil, errors.Join(err, t.Close(ctx))
			}
		}
		return t, nil
	}}, err
}
