package sizing

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/result"
)

// ownCPU is the CPU time of this process so far, in seconds: it signs a token for each call.
func ownCPU() float64 {
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano()).Seconds()
}

// busy is the use of CPU from which on it is called what limits.
const busy = 0.85

// seedLimit says what limited provisioning, from the cores used meanwhile.
func seedLimit(resources []result.ResourceSeries, pool lab.PoolUse, own float64, began time.Time, seconds float64) string {
	w := result.Window{From: began, To: began.Add(time.Duration(seconds * float64(time.Second)))}
	cores := map[string]float64{}
	for i := range resources {
		used, _ := resources[i].CPUSeconds(w)
		cores[resources[i].Component] += used / seconds
	}
	own /= seconds
	host := float64(runtime.NumCPU())
	evidence := fmt.Sprintf("OpenBao used %.2f, PostgreSQL %.2f and Steamer, which signs a token for each call, %.2f of %g cores; the pool of %d connections was full in %.0f %% of the looks",
		cores["openbao"], cores["postgresql"], own, host, pool.Limit, 100*pool.FullShare)
	switch {
	case cores["openbao"]+cores["postgresql"]+own >= busy*host:
		return "the host's CPUs: " + evidence
	case pool.FullShare >= 0.5:
		return "OpenBao's pool of database connections: " + evidence
	default:
		return "waits, of which each tenant's calls one after the other are the largest part: " + evidence
	}
}
