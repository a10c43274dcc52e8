package platform

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Layout is how many installations a run has at once.
type Layout struct {
	Shards   int  // installations of each topology that share its scenarios, from 1
	Together bool // the topologies are installed at once
}

// installations is how many there are at once, of so many topologies.
func (l Layout) installations(topologies int) int {
	if l.Together {
		return l.Shards * topologies
	}
	return l.Shards
}

// Host is what a machine has left; 0 where that is not known.
type Host struct{ MemoryMiB, CPUs float64 }

// HostNow is what this machine, or the control group of this process, has left now.
func HostNow() Host {
	host := Host{CPUs: cgroup.UsableCPUs()}
	if own, err := cgroup.Own(); err == nil {
		host.MemoryMiB, _ = own.AvailableMiB()
	}
	return host
}

// What a run takes of memory, in MiB: a node of kind with Steamer and the engine, and each
// installation. Measured: a node with one installation 1,020 to 1,150; the containers of an
// installation 225 to 270, and their shims and one more pod during an upgrade.
const (
	clusterMiB      = 1536
	installationMiB = 448
)

// perCPU is how many installations one CPU serves: they mostly wait.
const perCPU = 2

// worthwhile is how much work makes another installation pay, which takes half a minute itself.
const worthwhile = time.Minute

// Arrange decides how many installations share the scenarios of a list, by the plan's Shards and
// what the host has left. The error is of code exit.Invalid: the plan asks for more than the host
// or the chart allows.
func (p *Provider) Arrange(list []scenario.Scenario, host Host) error {
	asked, topologies := int(p.Plan.Shards), len(p.Plan.Topologies)
	p.Layout = Layout{Shards: 1}
	if why := p.unshared(); why != "" {
		if asked > 1 {
			return exit.Invalidf(fmt.Sprintf("--shards %d", asked), "leave it out, or use --shards 1", "%s", why)
		}
		return nil
	}
	together := topologies > 1 && !p.Plan.Load && p.Plan.Scenarios != scenario.None
	if asked == 0 {
		p.Layout = automatic(list, host, topologies, together)
		return nil
	}
	for _, p.Layout = range []Layout{{asked, together}, {asked, false}} {
		if asked == 1 && !p.Layout.Together || p.Layout.fits(host, topologies) { // one is what a run always had
			return nil
		}
	}
	return exit.Invalidf(fmt.Sprintf("--shards %d", asked), "use --shards auto, or fewer",
		"%d installations and the cluster take about %d MiB of memory, and %.0f MiB are available", asked,
		clusterMiB+installationMiB*asked, math.Floor(host.MemoryMiB))
}

// automatic is the layout where the plan asks for none: both topologies at once before more shards
// of one.
func automatic(list []scenario.Scenario, host Host, topologies int, together bool) Layout {
	if host.MemoryMiB == 0 { // a machine that says nothing of itself
		return Layout{Shards: 1}
	}
	for _, at := range []bool{together, false} {
		beside := 1
		if at {
			beside = topologies
		}
		for n := useful(list, host, beside); n > 0; n-- {
			if l := (Layout{n, at}); l.fits(host, topologies) {
				return l
			}
		}
	}
	return Layout{Shards: 1}
}

// fits reports whether a host has memory for a layout; one that says nothing of itself does.
func (l Layout) fits(host Host, topologies int) bool {
	return host.MemoryMiB == 0 || clusterMiB+installationMiB*float64(l.installations(topologies)) <= host.MemoryMiB
}

// Beside is how many installations the host serves at once, from 1.
func (p *Provider) Beside(host Host) int {
	if p.unshared() != "" {
		return 1
	}
	memory := int((host.MemoryMiB - clusterMiB) / installationMiB)
	return max(1, min(int(perCPU*host.CPUs), memory, plan.MaxShards))
}

// useful is how many installations of each of some topologies at once the CPUs serve and the work
// is worth, from 1.
func useful(list []scenario.Scenario, host Host, topologies int) int {
	worth := math.Ceil(float64(scenario.Work(list)) / float64(worthwhile))
	return max(1, min(int(perCPU*host.CPUs)/topologies, int(worth), plan.MaxShards))
}

// unshared is why the plan's installations cannot be beside each other; "" where they can.
func (p *Provider) unshared() string {
	if p.Plan.Cluster.Existing() {
		return "what an existing cluster has left is not known"
	}
	for _, name := range p.Plan.Topologies {
		env, err := topology.New(nil, nil, p.Spec(name), nil)
		if err != nil {
			return "" // Preflight says what is wrong
		}
		kinds, err := env.ClusterWide(kubeapi.ClusterScoped)
		if err == nil && len(kinds) > 0 {
			return "the chart makes " + strings.Join(kinds, ", ") +
				", which belong to the whole cluster, so that there is room for one installation"
		}
	}
	return ""
}

// fitCluster leaves out installations that a cluster of before has no ports for.
func (p *Platform) fitCluster() error {
	l := &p.Provider.Layout
	if l.installations(len(p.Provider.Plan.Topologies)) <= 1+p.Cluster.Shards {
		return nil
	}
	if p.Provider.Plan.Shards > 1 {
		return exit.Invalidf("cluster "+p.Cluster.Name, "leave --reuse out, or choose another --cluster",
			"it was made with ports for %d installations", 1+p.Cluster.Shards)
	}
	*l = Layout{Shards: min(l.Shards, 1+p.Cluster.Shards)}
	return nil
}

// Shard turns what is to be installed into one of several installations at once. number, from 1,
// is the installation's among those of its topology, and place, from 0, among all.
func Shard(spec topology.Spec, number, place int) topology.Spec {
	if number > 1 {
		spec.Suffix = fmt.Sprintf("-%d", number)
	}
	if place > 0 && spec.NodePort != 0 {
		spec.NodePort = cluster.FirstShardNodePort + place - 1
		// The requests of all have to fit on one small node. Requests do not slow a pod down.
		spec.Resources.CPURequest = "25m"
	}
	return spec
}
