package run

import (
	"context"
	"slices"

	"gitlab.com/steamer/steamer/harness/observe"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// watch observes the environment until the function that it returns is called, which writes what
// was seen into the topology.
func (s *stage) watch(ctx context.Context) (stop func(), err error) {
	nodes, err := s.cluster.NodeNames(ctx)
	if err != nil {
		return nil, err
	}
	namespaces := []string{s.env.Namespace}
	if database := s.env.DatabaseNamespace(); database != s.env.Namespace {
		namespaces = append(namespaces, database)
	}
	var machines []observe.Machine
	if s.env.Spec.Topology == topology.CloudNativeHybrid {
		machines = []observe.Machine{{Component: "postgresql", Name: s.env.MachineName()}}
	}
	if s.Plan.InCluster != nil {
		namespaces = append(namespaces, s.loadNamespace())
	}
	observer := observe.Start(ctx, s.engine, observe.PodSource{Client: s.cluster.Client, Namespaces: namespaces}, nodes,
		machines, s.sources()...)
	return func() {
		resources, events, gaps := observer.Stop()
		observer.Fill(s.out)
		s.out.Resources, s.out.Events = resources, append(append(s.out.Events, events...), s.out.Database.Stalls()...)
		slices.SortFunc(s.out.Events, func(a, b result.Event) int { return a.At.Compare(b.At) })
		if s.Plan.Cluster.Existing() {
			s.out.NotMeasured = append(s.out.NotMeasured,
				"CPU throttling of the pods: on an existing cluster only the kubelets' summary API is read, which does not have it")
		}
		for _, gap := range gaps {
			s.out.NotMeasured = append(s.out.NotMeasured, gap.Error())
		}
	}, nil
}
