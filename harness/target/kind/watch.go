package kind

import (
	"context"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/observe"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// component is what has to be observed to the end of each job.
const component = "openbao"

// start begins to observe the pods and machines of the target, and what the sources say.
func (t *Target) start(ctx context.Context, sources ...observe.Source) (*observe.Observer, error) {
	nodes, err := t.platform.Cluster.NodeNames(ctx)
	if err != nil {
		return nil, err
	}
	var machines []observe.Machine
	if t.info.Name == topology.CloudNativeHybrid {
		machines = []observe.Machine{{Component: "postgresql", Name: t.env.MachineName()}}
	}
	pods := observe.PodSource{Client: t.platform.Cluster.Client, Namespaces: t.Namespaces()}
	if t.options.InCluster != nil {
		pods.Namespaces = append(pods.Namespaces, platform.LoadNamespace(t.env.Namespace))
	}
	return observe.Start(ctx, t.platform.Engine, pods, nodes, machines, sources...), nil
}

// observe starts the observer of a steady target, which Close ends, and waits until it has seen
// something.
func (t *Target) observe(ctx context.Context) (err error) {
	if t.observer, err = t.start(context.WithoutCancel(ctx)); err == nil {
		t.observer.Outlast(ctx, component)
	}
	return err
}

// sources are what is observed besides the containers.
func (t *Target) sources() []observe.Source {
	all := []observe.Source{observe.Warnings{}, observe.Own{}}
	if !t.env.Spec.Dialect.Raft {
		all = append(all, observe.Database{Name: t.env.DatabaseName(), Session: t.env.DatabaseSession})
	}
	if !t.platform.Existing() { // else the cluster's machines are others than Steamer's
		all = append(all, observe.Host{})
	}
	if dialect := t.env.Spec.Dialect; dialect.MetricsPort != 0 {
		source := observe.PodSource{Client: t.platform.Cluster.Client}
		read := observe.PodMetrics(source, t.env.Scheme(), dialect.MetricsPort)
		all = append(all, observe.Server{Selector: dialect.Selector, Read: read})
	}
	return all
}

// watch observes the target until the function that it returns is called, which returns what was
// seen.
func (t *Target) watch(ctx context.Context) (stop func() result.Topology, err error) {
	if t.options.Steady {
		return t.since(ctx)
	}
	observer, err := t.start(ctx, t.sources()...)
	if err != nil {
		return nil, err
	}
	return func() result.Topology {
		seen := t.frame()
		resources, events, gaps := observer.Stop()
		observer.Fill(&seen)
		seen.Resources, seen.Events = resources, append(events, seen.Database.Stalls()...)
		slices.SortFunc(seen.Events, func(a, b result.Event) int { return a.At.Compare(b.At) })
		if t.platform.Existing() {
			seen.NotMeasured = append(seen.NotMeasured,
				"CPU throttling of the pods: on an existing cluster only the kubelets' summary API is read, which does not have it")
		}
		for _, gap := range gaps {
			seen.NotMeasured = append(seen.NotMeasured, gap.Error())
		}
		return seen
	}, nil
}

// since is watch by the observer of a steady target. One that saw no more is started again, so
// that one hiccup costs a job and not all that follow.
func (t *Target) since(ctx context.Context) (stop func() result.Topology, err error) {
	if why := t.observer.Err(); why != nil {
		t.note("observing starts again: " + why.Error())
		t.observer.Stop()
		if err := t.observe(ctx); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	return func() result.Topology {
		t.observer.Outlast(ctx, component)
		seen := t.frame()
		seen.Resources, seen.Events = t.observer.Since(began) // a gap shows as a missed condition
		return seen
	}, nil
}

// frame is the target in the form in which results are judged, without anything measured.
func (t *Target) frame() result.Topology {
	info := t.Info()
	return result.Topology{
		Name: info.Name, TLS: t.env.Spec.TLS, Chart: info.Chart, Versions: info.Versions, Images: info.Images,
		Scenarios: []result.Scenario{}, Checks: []result.Check{}, Reasons: []string{},
	}
}
