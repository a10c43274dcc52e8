package platform

import (
	"context"
	"fmt"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/load/pods"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

// Wanted is an environment that is to be installed, with the name that errors give it.
type Wanted struct {
	Name string
	Spec topology.Spec
}

// Preflight renders the charts of all environments, those of the plan where none is given, and
// finds out whether the cluster can be had, before anything is touched.
func (p *Provider) Preflight(ctx context.Context, all ...Wanted) error {
	if len(all) == 0 {
		for _, name := range p.Plan.Topologies {
			all = append(all, Wanted{"topology " + name, p.Spec(name)})
		}
	}
	environments := make([]*topology.Environment, len(all))
	for i, w := range all {
		var err error
		if environments[i], err = topology.New(nil, nil, w.Spec, nil); err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
	}
	return p.checkCluster(ctx, environments)
}

// checkCluster finds out before any side effect whether the plan's cluster can be had: an existing
// one is opened and its rights are asked for; of a kind cluster everything is checked that needs
// no engine.
func (p *Provider) checkCluster(ctx context.Context, environments []*topology.Environment) error {
	c := p.Plan.Cluster
	if c.Existing() {
		needs, err := p.needs(environments)
		if err != nil {
			return err
		}
		port, second, err := p.forwardedPorts()
		if err != nil {
			return err
		}
		p.existing, err = cluster.OpenExisting(ctx, cluster.Existing{
			Kubeconfig: c.Kubeconfig, Context: c.Context, HostPort: port, SecondPort: second, Needs: needs,
		})
		return err
	}
	me, err := cluster.Me(p.Root, p.Cache)
	if err != nil {
		return err
	}
	opts := cluster.Options{Name: c.Name, Config: c.Config, HostPort: c.Port, Second: p.Second, SecondPort: p.SecondPort}
	if p.Elsewhere || c.Reuse { // a cluster to be used again holds its port itself
		opts.HostPort, opts.SecondPort = 0, 0
	}
	return cluster.CheckInput(me, opts)
}

// forwardedPorts are the loopback ports of an existing cluster's forwards; the second is 0 where
// there is none.
func (p *Provider) forwardedPorts() (port, second int, err error) {
	if port = p.Plan.Cluster.Port; port == 0 {
		if port, err = cluster.FreePort(p.SecondPort); err != nil {
			return 0, 0, err
		}
	}
	if second = p.SecondPort; p.Second && second == 0 {
		second, err = cluster.FreePort(port)
	}
	return port, second, err
}

// needs are all rights that are used on an existing cluster.
func (p *Provider) needs(environments []*topology.Environment) ([]cluster.Need, error) {
	list, err := p.Plan.Select(scenarios.All())
	if err != nil {
		return nil, err
	}
	all := []cluster.Need{{Verbs: "get list create delete", Resource: "namespaces", For: "the run's own namespaces"}}
	for _, env := range environments {
		needs, err := env.Needs(list)
		if err != nil {
			return nil, err
		}
		all = append(all, needs...)
		if p.Plan.InCluster != nil && p.Plan.Load {
			all = append(all, pods.Needs(LoadNamespace(env.Namespace))...)
		}
	}
	return all, nil
}

// LoadNamespace is where the load generators of an environment are, beside its own namespace.
func LoadNamespace(environment string) string { return environment + "-load" }
