package gate

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// Spans in which the machine is looked at, and which of them are crowded. Kubernetes and the kernel's work for the network count as other
// processes; at 150 fetches/s they take a quarter of two cores.
const (
	crowdSpan = 10 * time.Second
	maxOthers = 0.4  // share of the machine's CPUs
	maxCrowds = 0.05 // share of the spans: a p95 does not move by fewer
)

// othersCPUs is how many CPUs a machine should have beyond OpenBao's limit: for PostgreSQL, Kubernetes and the load generator.
const othersCPUs = 1

// room asks whether the machine is large enough for what the tier allows OpenBao. It is shown only: a chart that holds its objectives on
// less holds them. It is not known where the cluster has other machines than Steamer.
func room(t *result.Topology, run result.Run) (c result.Check, known bool) {
	tier, err := load.TierNamed(run.Tier)
	if err != nil || t.Host == nil || run.Host.CPUs == 0 {
		return c, false
	}
	limit, err := resource.ParseQuantity(tier.CPULimit)
	if err != nil {
		return c, false
	}
	need := limit.AsApproximateFloat64() + othersCPUs
	c = check(idRoom, "CPUs of the host, for what the tier allows OpenBao and one for everything else", fmt.Sprint(run.Host.CPUs), ">= "+num(need), float64(run.Host.CPUs) >= need,
		fmt.Sprintf("the host has %d CPUs, fewer than the %s that tier %s allows OpenBao and one for everything else", run.Host.CPUs, num(need-othersCPUs), run.Tier))
	c.Informational = true
	return c, true
}

// crowd looks at what else the machine did while it measured. It is shown only, since a chart that holds its objectives beside a
// build holds them; but see distorting.
func crowd(t *result.Topology, cpus int) (c result.Check, known bool) {
	w := t.Load.Measured()
	spans, crowded, most := 0, 0, 0.0
	for from := w.From; !from.Add(crowdSpan).After(w.To); from = from.Add(crowdSpan) {
		cores, ok := t.Others(result.Window{From: from, To: from.Add(crowdSpan)})
		if !ok {
			continue
		}
		spans++
		share := cores / float64(max(1, cpus))
		most = max(most, share)
		if share > maxOthers {
			crowded++
		}
	}
	if spans == 0 || cpus == 0 {
		return c, false
	}
	c = check(IDHostCrowded, "other processes' share of the host's CPUs, at its highest for 10 s", percent(most),
		fmt.Sprintf("<= %s in 95 %% of the time", percent(maxOthers)), float64(crowded) <= maxCrowds*float64(spans),
		fmt.Sprintf("other processes used more than %s of the host's CPUs in %d of %d spans of 10 s", percent(maxOthers), crowded, spans))
	c.Informational = true
	return c, true
}
