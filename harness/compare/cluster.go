package compare

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"time"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/observe"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/topology"
)

// ClusterArm is a chart installed on a cluster that the other arm is on, too, in
// namespaces and with a database of its own.
type ClusterArm struct {
	Generator
	Description string
	Cluster     *cluster.Cluster
	Engine      *engine.Engine // nil on an existing cluster
	Spec        topology.Spec
	Port        int // loopback port that leads to this arm
	Tenants     int // to provision
	Secrets     int // of each
	Recipe      string
	BatchTokens bool // see Design
	Proxied     bool
	Log         func(string)

	driver
	env      *topology.Environment
	observer *observe.Observer // all the time: it takes seconds until it has seen everything, and slices are short
	versions map[string]string
	running  map[string]string // images of the pods
}

// Prepare installs the chart and provisions the tenants.
func (a *ClusterArm) Prepare(ctx context.Context) error {
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
		return UnfitError{err}
	}
	if err != nil {
		return err
	}
	a.driver = driver{
		Generator: a.Generator, address: env.Address, audience: env.Audience(), seed: rand.Text(),
		issuer: env.Issuer,
	}
	client := openbao.New(env.Address, nil)
	defer client.Close()
	health, err := client.Health(ctx)
	if err != nil {
		return a.unfit(ctx, fmt.Errorf("health of OpenBao: %w", err))
	}
	if a.running, err = env.RunningImages(ctx); err != nil {
		a.Log(err.Error()) // they are to be told, no more
	}
	a.versions = map[string]string{"openbao": health.Version, "kubernetes": a.Cluster.Version}
	if a.tenants, err = provision(ctx, client, &a.driver, a.Tenants, a.Secrets, a.Recipe, a.BatchTokens); err != nil {
		return a.unfit(ctx, err)
	}
	if a.Proxied {
		if err := a.SetDelay(0); err != nil {
			return err
		}
	}
	return a.observe(ctx)
}

// unfit says whose a failure of this arm is: the chart's, or what surrounds it.
func (a *ClusterArm) unfit(ctx context.Context, err error) error {
	var fault *topology.ChartError
	if err = a.env.Blame(ctx, err); errors.As(err, &fault) {
		return UnfitError{err}
	}
	return err
}

// Subject says what is installed.
func (a *ClusterArm) Subject() Subject {
	info := a.Spec.Chart.InfoWith(a.Spec.Overrides)
	images := map[string]string{"openbao": a.Spec.Images.OpenBao, "postgresql": a.Spec.Images.PostgreSQL}
	maps.Copy(images, a.running)
	return Subject{
		Description: a.Description, Chart: &info, Config: info.Values, Versions: a.versions, Delay: a.delayed(),
		Images: images,
	}
}

// Drive runs k6 against the active Service while the pods are observed.
func (a *ClusterArm) Drive(ctx context.Context, name string, p load.Profile, rate float64) (Measurement, error) {
	if why := a.observer.Err(); why != nil { // started again, so that one hiccup costs a pair and not all that follow
		a.Log("observing starts again: " + why.Error())
		a.observer.Stop()
		if err := a.observe(ctx); err != nil {
			return Measurement{}, err
		}
	}
	began := time.Now()
	measured, err := a.drive(ctx, name, p, rate)
	a.observer.Outlast(ctx, component)
	resources, events := a.observer.Since(began) // a gap shows as a missed condition of the slice
	return Measurement{Load: measured, Resources: resources, Events: events}, err
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
	a.closeProxy()
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
