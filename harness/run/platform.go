package run

import (
	"context"

	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/kind"
)

// Platform is where a run installs its topologies.
type Platform interface {
	// Up brings it up step by step, and registers what undoes it. id owns what is made.
	Up(ctx context.Context, id string, s *steps.Steps) error
	// Describe names the engine or the cluster, as far as Up came.
	Describe() string
	// Layout says how many installations there are at once. It is asked for after Up.
	Layout() platform.Layout
	// Target prepares an installation of a topology without touching anything.
	Target(name string, at Place) (Target, error)
}

// Place is where an installation is among those of a run.
type Place struct {
	Dir    string // run directory
	Number int    // among those of its topology, from 1
	Index  int    // among all that are there at once, from 0
	Last   bool   // nothing is installed afterwards
	Label  string // begins its lines of progress; may be empty
}

// Target is a topology that a run installs, exercises and removes; *kind.Target is one. Errors of
// Install and Seed that the chart is to blame for are of type target.UnfitError.
type Target interface {
	Info() target.Info
	Install(ctx context.Context) error
	Seed(ctx context.Context, total int) (*result.Seed, error)
	Suite(ctx context.Context) (env *scenario.Env, done func(), err error)
	Restore(ctx context.Context) error // after the suite
	// AwaitRemoved waits until what Close has begun to remove is gone.
	AwaitRemoved(ctx context.Context) error
	Drive(ctx context.Context, job target.Job) (target.Observation, error)
	Diagnose(ctx context.Context, dir string) error
	LearnSecrets(ctx context.Context) error
	Close(ctx context.Context) error
}

// OnCluster is the platform of runs that install charts on a cluster.
func OnCluster(p *platform.Provider) Platform { return &onCluster{provider: p} }

type onCluster struct {
	provider *platform.Provider
	platform *platform.Platform
}

func (c *onCluster) Up(ctx context.Context, id string, s *steps.Steps) (err error) {
	c.platform, err = c.provider.Up(ctx, id, s)
	return err
}

func (c *onCluster) Describe() string { return c.platform.Describe() }

func (c *onCluster) Layout() platform.Layout { return c.provider.Layout }

func (c *onCluster) Target(name string, at Place) (Target, error) {
	p := c.provider.Plan
	return kind.New(c.platform, kind.Options{
		Spec: platform.Shard(c.platform.Spec(name), at.Number, at.Index), Secrets: p.Secrets, Dir: at.Dir,
		InCluster: p.InCluster, Previous: p.Previous, Last: at.Last, Logs: p.Scenarios != scenario.None, Label: at.Label,
	})
}
