package sizing

import (
	"fmt"

	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
)

// busy is the use of CPU from which on it is called what limits.
const busy = 0.85

// provisioning is what was used while tenants were provisioned.
type provisioning struct {
	window    result.Window
	resources []result.ResourceSeries
	host      *result.ResourceSeries // the whole machine; nil where only the resources and Steamer are known
	pool      target.PoolUse
	own       float64 // CPU time of this process in seconds
}

// limit says what limited provisioning, with the evidence.
func (p *provisioning) limit() string {
	seconds := p.window.To.Sub(p.window.From).Seconds()
	cores, capped := map[string]float64{}, false
	for i := range p.resources {
		s := &p.resources[i]
		used, _ := s.CPUSeconds(p.window)
		cores[s.Component] += used / seconds
		capped = capped || s.Component == "openbao" && s.CPULimit > 0 && used/seconds >= busy*s.CPULimit
	}
	own, cpus := p.own/seconds, cgroup.UsableCPUs()
	all := cores["openbao"] + cores["postgresql"] + own
	evidence := fmt.Sprintf("OpenBao used %.2f, PostgreSQL %.2f and Steamer, which signs a token for each call, %.2f of %g cores",
		cores["openbao"], cores["postgresql"], own, cpus)
	if p.host != nil {
		used, _ := p.host.CPUSeconds(p.window)
		all = used / seconds
		evidence += fmt.Sprintf(", everything together %.2f", all)
	}
	if p.pool.Samples > 0 {
		evidence += fmt.Sprintf("; the pool of %d connections was full in %.0f %% of the samples", p.pool.Limit,
			100*p.pool.FullShare)
	}
	switch {
	case all >= busy*cpus:
		return "the host's CPUs: " + evidence
	case capped:
		return "OpenBao's CPU limit: " + evidence
	case p.pool.FullShare >= 0.5:
		return "OpenBao's pool of database connections: " + evidence
	default:
		return "waits, of which each tenant's calls one after the other are the largest part: " + evidence
	}
}

// pool is how OpenBao's pools were used. Where the target did not watch that, PostgreSQL's
// sessions say it: how large the pools may become is not known then, and the most connections that
// were open at once stand for it.
func pool(seen target.Observation) target.PoolUse {
	d := seen.Topology.Database
	switch {
	case seen.Pool != nil:
		return *seen.Pool
	case d == nil:
		return target.PoolUse{}
	}
	u := target.PoolUse{Samples: len(d.Samples)}
	for _, s := range d.Samples {
		u.Limit = max(u.Limit, s.Connections)
	}
	for _, s := range d.Samples {
		u.Busy += float64(s.Running+s.InTx) / float64(u.Samples)
		if s.Running+s.InTx >= u.Limit {
			u.FullShare += 1 / float64(u.Samples)
		}
	}
	return u
}
