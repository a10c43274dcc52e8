package compare

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"time"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/observe"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/delay"
	"gitlab.com/steamer/steamer/harness/topology"
)

// ClusterArm is a chart installed on a cluster that the other arm is on, too, in
// namespaces and with a database of its own.
type ClusterArm struct {
	Generator target.Generator
	Cluster   *cluster.Cluster
	Engine    *engine.Engine // nil on an existing cluster
	Spec      topology.Spec
	Port      int // loopback port that leads to this arm
	Secrets   int // of each tenant
	Recipes   []*gitlab.Recipe
	Proxied   bool
	Log       func(string)

	tenancy  target.Tenancy
	proxy    *delay.Proxy
	env      *topology.Environment
	observer *observe.Observer // all the time: it takes seconds until it has seen everything, and slices are short
	versions map[string]string
	running  map[string]string // images of the pods
}

// Open installs the chart.
func (a *ClusterArm) Open(ctx context.Context) (target.Target, error) {
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close(context.WithoutCancel(ctx)))
	}
	return a, nil
}

func (a *ClusterArm) open(ctx context.Context) error {
	own := *a.Cluster // the same cluster by another port
	own.HostPort = a.Port
	env, err := topology.New(&own, a.Engine, a.Spec, a.Log)
	if err != nil {
		return err
	}
	a.env = env
	err = env.Install(ctx)
	var fault *topology.ChartError
	if errors.As(err, &fault) {
		return target.UnfitError{Err: err}
	}
	if err != nil {
		return err
	}
	a.tenancy = target.Tenancy{
		Client: openbao.New(env.Address, nil), Issuer: env.Issuer, Audience: env.Audience(), Seed: rand.Text(),
		Recipes: a.Recipes, Secrets: a.Secrets,
	}
	health, err := a.tenancy.Client.Health(ctx)
	if err != nil {
		return a.unfit(ctx, fmt.Errorf("health of OpenBao: %w", err))
	}
	if a.running, err = env.RunningImages(ctx); err != nil {
		a.Log(err.Error()) // they are to be told, no more
	}
	a.versions = map[string]string{"openbao": health.Version, "kubernetes": a.Cluster.Version}
	if a.Proxied {
		u, err := url.Parse(env.Address)
		if err != nil {
			return err
		}
		if a.proxy, err = delay.Start(u.Host); err != nil {
			return err
		}
	}
	return a.observe(ctx)
}

// Grow provisions tenants until there are total.
func (a *ClusterArm) Grow(ctx context.Context, total int) (*result.Seed, target.Observation, error) {
	seed, err := a.tenancy.Grow(ctx, total)
	if err != nil {
		err = a.unfit(ctx, err)
	}
	return seed, target.Observation{}, err
}

// Tenants are those provisioned so far.
func (a *ClusterArm) Tenants() []gitlab.Tenant { return a.tenancy.Tenants() }

// Env is the installed chart as scenarios see it, whose release they may not change.
func (a *ClusterArm) Env() (*scenario.Env, func(), error) {
	return a.env.Scenarios(a.Tenants(), a.tenancy.Seed).Prepare()
}

// SetDelay delays every answer from now on; the arm has to be Proxied.
func (a *ClusterArm) SetDelay(by time.Duration) error { return a.proxy.Set(by) }

// unfit says whose a failure of this arm is: the chart's, or what surrounds it.
func (a *ClusterArm) unfit(ctx context.Context, err error) error {
	var fault *topology.ChartError
	if err = a.env.Blame(ctx, err); errors.As(err, &fault) {
		return target.UnfitError{Err: err}
	}
	return err
}

// Info describes what is installed.
func (a *ClusterArm) Info() target.Info {
	info := a.Spec.Chart.InfoWith(a.Spec.Overrides)
	images := map[string]string{"openbao": a.Spec.Images.OpenBao, "postgresql": a.Spec.Images.PostgreSQL}
	maps.Copy(images, a.running)
	out := target.Info{
		Name: a.Spec.Topology, Chart: info, Config: info.Values, Versions: a.versions, Images: images,
	}
	if a.proxy != nil {
		out.Delay = a.proxy.Delay()
	}
	return out
}

// Drive runs k6 against the active Service while the pods are observed.
func (a *ClusterArm) Drive(ctx context.Context, job target.Job) (target.Observation, error) {
	if why := a.observer.Err(); why != nil { // started again, so that one hiccup costs a pair and not all that follow
		a.Log("observing starts again: " + why.Error())
		a.observer.Stop()
		if err := a.observe(ctx); err != nil {
			return target.Observation{}, err
		}
	}
	address := a.env.Address
	if a.proxy != nil {
		address = "http://" + a.proxy.Address()
	}
	fixture, err := a.tenancy.Fixture(address, job.Profile, time.Duration(job.Profile.Warmup+job.Profile.Duration))
	if err != nil {
		return target.Observation{}, err
	}
	began := time.Now()
	runner := load.Runner{Binary: a.Generator.K6, Scripts: a.Generator.Scripts, Dir: a.Generator.Dir}
	measured, err := runner.Run(ctx, load.Job{
		Name: job.Name, Profile: job.Profile, Rate: job.Rate, Target: address, Fixture: fixture,
	})
	a.observer.Outlast(ctx, component)
	resources, events := a.observer.Since(began) // a gap shows as a missed condition of the slice
	return target.Observation{Topology: result.Topology{Load: measured, Resources: resources, Events: events}}, err
}

// component is what has to be observed to the end of each slice.
const component = "openbao"

// observe starts the observer, which Close ends, and waits until it has seen something.
func (a *ClusterArm) observe(ctx context.Context) error {
	nodes, err := a.Cluster.NodeNames(ctx)
	if err != nil {
		return err
	}
	namespaces := []string{a.env.Namespace}
	if database := a.env.DatabaseNamespace(); database != a.env.Namespace {
		namespaces = append(namespaces, database)
	}
	var machines []observe.Machine
	if a.Spec.Topology == topology.CloudNativeHybrid {
		machines = []observe.Machine{{Component: "postgresql", Name: a.env.MachineName()}}
	}
	source := observe.PodSource{Client: a.Cluster.Client, Namespaces: namespaces}
	a.observer = observe.Start(context.WithoutCancel(ctx), a.Engine, source, nodes, machines)
	a.observer.Outlast(ctx, component)
	return nil
}

// Close removes the environment, and waits until it is gone.
func (a *ClusterArm) Close(ctx context.Context) error {
	if a.proxy != nil {
		a.proxy.Stop()
		a.proxy = nil
	}
	if a.tenancy.Client != nil {
		a.tenancy.Client.Close()
	}
	if a.observer != nil {
		a.observer.Stop()
		a.observer = nil
	}
	if a.env == nil {
		return nil
	}
	env := a.env
	a.env = nil
	return errors.Join(env.Remove(ctx), env.AwaitRemoved(ctx))
}
