package run

import (
	"context"
	"errors"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/topology"
)

// SecondSuffix ends the names of a second environment.
const SecondSuffix = "-b"

// Site is what a run stands on, for work that is not a run of its own.
type Site struct {
	ID      string           // owner of everything that is made
	Cluster *cluster.Cluster // with SecondPort
	Engine  *engine.Engine   // nil on an existing cluster
	K6      string           // path of the load generator
	Images  map[string]string

	run *Run
}

// Use brings up engine, images and cluster as Do does, with Run.Second for a second environment,
// and calls do. Then it undoes everything in reverse, also when do failed or ctx was cancelled. It
// writes no result.
func (r *Run) Use(ctx context.Context, id string, do func(context.Context, *Site) error) error {
	r.frame(id)
	err := r.groundSteps(ctx)
	if err == nil && !r.Plan.Cluster.Existing() && r.cluster.SecondPort == 0 {
		err = exit.Invalidf("cluster "+r.cluster.Name, "leave --reuse out, or choose another --cluster",
			"it was made without a port for a second system")
	}
	if err == nil {
		site := &Site{ID: id, Cluster: r.cluster, Engine: r.engine, K6: r.k6, Images: map[string]string{}, run: r}
		for _, image := range r.images {
			site.Images[image.Name] = image.Ref
		}
		err = do(ctx, site)
	}
	return errors.Join(err, r.cleanUp(ctx))
}

// Step runs one step with its progress shown.
func (s *Site) Step(ctx context.Context, name string, do func(context.Context) error) error {
	return s.run.step(ctx, "", name, do)
}

// UndoLater registers what undoes a step; it runs before what is below it goes, also after a
// cancellation.
func (s *Site) UndoLater(name string, do func(context.Context) error) { s.run.undoLater(name, do) }

// Spec is the environment of one side: the plan's with another chart and other values. The second
// side gets names and a port of its own.
func (s *Site) Spec(c *chart.Chart, overrides map[string]any, second bool) (topology.Spec, int) {
	port := s.Cluster.HostPort
	if second {
		port = s.Cluster.SecondPort
	}
	return s.run.sideSpec(s.ID, c, overrides, second), port
}

func (r *Run) sideSpec(id string, c *chart.Chart, overrides map[string]any, second bool) topology.Spec {
	spec := r.environmentSpec(r.Plan.Topologies[0], id)
	spec.Chart, spec.Overrides = c, overrides
	if second {
		spec.Suffix = SecondSuffix
		if spec.NodePort != 0 {
			spec.NodePort = cluster.SecondNodePort
		}
	}
	return spec
}

// PreflightSide renders a side's chart, before anything is touched.
func (r *Run) PreflightSide(c *chart.Chart, overrides map[string]any, second bool) error {
	r.replaced() // the references that the plan replaces
	spec := r.sideSpec("preflight", c, overrides, second)
	preflightImages(&spec)
	env, err := topology.New(nil, nil, spec, nil)
	if err == nil {
		r.sides = append(r.sides, env)
	}
	return err
}

// Image is the reference by which the cluster has one of Run.Also.
func (s *Site) Image(ref string) string { return s.run.named("", ref).Ref }

// PreflightGround looks at the cluster and the ports before anything is touched, after
// PreflightSide of each side.
func (r *Run) PreflightGround(ctx context.Context) error { return r.checkGround(ctx, r.sides) }
