// Package sizing measures how OpenBao grows with the number of tenants, and compares that with
// what GitLab publishes: memory, seconds to start and to fail over, how fast tenants are
// provisioned, latency of a fetch. Beyond what the machine allows it extrapolates, and marks it.
package sizing

import (
	"context"
	"fmt"
	gopath "path"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/target"
)

// Options say how far to go.
type Options struct {
	MaxTenants int           // 50 to 10,000
	Rate       float64       // of the fetches whose latency is measured, per second
	Length     time.Duration // of that measurement
	Budget     time.Duration // no further step is begun that would end after it
	Failovers  int           // of each kind at each step, 1 to 10; the median counts
	HostCPUs   int
	Progress   func(string)
}

// Default returns what the command starts with: up to 1,000 tenants, and GitLab's published 139
// fetches per second for half a minute.
func Default() Options {
	return Options{
		MaxTenants: 1000, Rate: publishedRate, Length: 30 * time.Second, Budget: time.Hour, Failovers: 1,
		Progress: func(string) {},
	}
}

// publishedRate is what GitLab gives for 100,000 secrets, each fetched about every 12 minutes, in
// fetches per second.
const publishedRate = 139

// Validate refuses options that make no sense, with exit.Invalid.
func (o Options) Validate() error {
	switch {
	case o.MaxTenants < 50 || o.MaxTenants > 10000:
		return exit.Invalidf(fmt.Sprintf("--max-tenants %d", o.MaxTenants), "use 50 to 10000", "it is out of range")
	case !(o.Rate >= 1) || o.Rate > 10000:
		return exit.Invalidf("--rate", "use 1 to 10000 fetches per second", "%g is out of range", o.Rate)
	case o.Length < 10*time.Second || o.Length > time.Hour:
		return exit.Invalidf("--length", "use 10s to 1h", "%s is out of range", o.Length)
	case o.Budget < time.Minute || o.Budget > 24*time.Hour:
		return exit.Invalidf("--budget", "use 1m to 24h", "%s is out of range", o.Budget)
	case o.Failovers < 1 || o.Failovers > 10:
		return exit.Invalidf("--failovers", "use 1 to 10", "%d is out of range", o.Failovers)
	}
	return nil
}

// Ladder is the steps up to most: 50, 200, 1,000 and 5,000, and most itself.
func Ladder(most int) []int {
	var steps []int
	for _, n := range []int{50, 200, 1000, 5000} {
		if n < most {
			steps = append(steps, n)
		}
	}
	return append(steps, most)
}

// Step is one size. Seconds are 0 and Extrapolated is true for a size that was computed from the
// smaller ones.
type Step struct {
	Tenants      int     `json:"tenants"`
	Namespaces   int     `json:"namespaces"`
	Secrets      int     `json:"secrets"`
	Extrapolated bool    `json:"extrapolated,omitempty"`
	MemoryMiB    float64 `json:"memoryMiB"`                 // resident set of the active node under the fetches, after it has started again; 0: not observed
	SeedMemory   float64 `json:"provisioningMiB,omitempty"` // the same while it provisioned the tenants
	Startup      float64 `json:"startupSeconds"`            // all nodes ended, until a fetch is answered
	Graceful     float64 `json:"gracefulSeconds"`
	Crash        float64 `json:"crashSeconds"`
	SeedRate     float64 `json:"tenantsPerSecond,omitempty"`
	SeedCalls    float64 `json:"callsPerTenant,omitempty"`
	SeedLimit    string  `json:"seedLimit,omitempty"`
	DatabaseMiB  float64 `json:"databaseMiB,omitempty"`
	Fetch        Fetch   `json:"fetch"`
}

// Fetch is the measurement of fetches at one step, in milliseconds from the intended start.
type Fetch struct {
	Offered  float64 `json:"offered"`
	Achieved float64 `json:"achieved"`
	Failed   int64   `json:"failed"`
	Wrong    int64   `json:"wrong"`
	Mean     float64 `json:"mean"`
	P95      float64 `json:"p95"`
	P99      float64 `json:"p99"`
	Valid    string  `json:"invalid,omitempty"` // why the measurement says nothing, "" when it does
}

// countNamespaces counts the namespaces of tenants, parents included.
func countNamespaces(tenants []gitlab.Tenant) int {
	seen := map[string]bool{}
	for _, t := range tenants {
		for path := t.Name; path != "." && path != "/"; path = gopath.Dir(path) {
			seen[path] = true
		}
	}
	return len(seen)
}

// Measure climbs the ladder with a target that is a target.Restarter. The report is whole as far
// as it came, also beside an error.
func Measure(ctx context.Context, t target.Target, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	r := newReport(o)
	began := time.Now()
	for i, tenants := range Ladder(o.MaxTenants) {
		if i > 0 && !affordable(r.Steps[i-1], tenants, o.Budget-time.Since(began)) {
			r.NotMeasured = append(r.NotMeasured,
				fmt.Sprintf("%d tenants: at %.1f tenants a second they would take longer than what is left of --budget %s",
					tenants, r.Steps[i-1].SeedRate, o.Budget))
			break
		}
		step, err := measure(ctx, t, o, tenants)
		if err != nil {
			r.finish(ctx.Err() != nil, err)
			return r, err
		}
		r.Steps = append(r.Steps, step)
	}
	r.finish(false, nil)
	return r, nil
}

// affordable guesses from the last step whether the next fits into the time left.
func affordable(last Step, tenants int, left time.Duration) bool {
	if last.SeedRate <= 0 {
		return true
	}
	const rest = 3 * time.Minute // the disturbances and the fetches of a step
	return time.Duration(float64(tenants-last.Tenants)/last.SeedRate*float64(time.Second))+rest <= left
}
