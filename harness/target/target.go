// Package target defines a target: a running OpenBao or Vault with its database and its tenants,
// which can be provisioned, loaded, observed and disturbed. Package kind has targets on a cluster,
// package local has targets that run as processes. Comparisons, capacity, sizing, mutation and
// experiments are programs over this interface.
package target

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Target is a running OpenBao with its database and tenants. A target is open when its constructor
// returns it: OpenBao is unsealed and active, and there are no tenants yet. A constructor that
// returns an error has removed what it made. One caller uses a target at a time; what Env
// returned may be used while a job runs.
//
// An error that the subject itself is to blame for is an UnfitError; every other error is a fault
// of the environment.
type Target interface {
	// Info describes what runs. It changes only by SetDelay and SetCPUs.
	Info() Info
	// Tenants are those provisioned so far.
	Tenants() []gitlab.Tenant
	// Grow provisions tenants as Rails does until there are total, fetches each of their secrets
	// once, and observes the target meanwhile. Where there are as many already it does nothing and
	// returns a zero Seed.
	Grow(ctx context.Context, total int) (*result.Seed, Observation, error)
	// Env is the target as scenarios see it, with the defaults of scenario.Env.Prepare. The caller
	// calls done when it no longer needs it.
	Env() (env *scenario.Env, done func(), err error)
	// Drive runs one job to its end and observes the target meanwhile. It returns what it saw also
	// beside an error: then Topology.Load is nil where nothing was measured.
	Drive(ctx context.Context, job Job) (Observation, error)
	// Close removes everything that opening the target made. It may be called twice, and works
	// after ctx was cancelled.
	Close(ctx context.Context) error
}

// Info describes what a target is.
type Info struct {
	Name     string            // of the topology, or Processes
	Chart    result.Chart      // zero where no chart was installed
	Versions map[string]string // by component: "openbao", "postgresql", "kubernetes" ...
	Images   map[string]string // reference by name; nil for processes
	// NotMeasured is what a reader might expect of a result about the target and will not find.
	NotMeasured []string
	Config      string        // digest of the user's values or configuration patch; may be empty
	Limited     string        // how a limit of its CPUs is enforced; "" without one
	CPUs        float64       // cores that SetCPUs limits OpenBao to; 0 is no limit
	Delay       time.Duration // that SetDelay adds to every answer
}

// Processes is Info.Name of a target that runs as processes.
const Processes = "processes"

// Job is one load.
type Job struct {
	Name       string // unique among the jobs of a target; it names files
	Profile    load.Profile
	Rate       float64                        // fetches per second, more than 0
	Thresholds []result.Threshold             // latency limits whose excess is counted
	Progress   func(interval result.Interval) // called once a second; may be nil
}

// Observation is what a target showed during one job or while it grew.
type Observation struct {
	// Topology has the load, the resources, the events and the cost of this observation alone, in
	// the form in which results are judged.
	Topology result.Topology
	// Pool is how the connection pool was used; nil where that was not watched.
	Pool *PoolUse
	// Others is how many cores everything on the host but OpenBao, PostgreSQL and the generator
	// used on average, Kubernetes included; nil where the host was not watched.
	Others *float64
	// Strangers is how many of those had nothing to do with the target; nil where that is not
	// known.
	Strangers *float64
}

// PoolUse is how OpenBao used its connections to PostgreSQL.
type PoolUse struct {
	Limit        int     `json:"limit"`        // the pool's size, or the most connections seen at once
	Busy         float64 `json:"busy"`         // mean of connections in a statement or a transaction
	FullShare    float64 `json:"fullShare"`    // share of the samples, 0 to 1, in which all were busy
	Samples      int     `json:"looks"`        // number of samples; 0 means that nothing is known
	Opened       int64   `json:"opened"`       // connections opened meanwhile
	Transactions int64   `json:"transactions"` // ended meanwhile, single statements included
}

// UnfitError is a failure of the subject: it does not start, or its tenants cannot be provisioned.
// It is a finding about that subject, not a fault of what surrounds it.
type UnfitError struct{ Err error }

// Error is the text of what went wrong.
func (u UnfitError) Error() string { return u.Err.Error() }

// Unwrap returns what went wrong.
func (u UnfitError) Unwrap() error { return u.Err }

// Restarter is a Target whose nodes can be ended and started again.
type Restarter interface {
	// Restart ends all nodes in order and starts them again. It returns the seconds until one is
	// active and a fetch gets its value.
	Restart(ctx context.Context) (seconds float64, err error)
	// Failover ends the active node, killed or in order, and returns for how many seconds no fetch
	// was answered.
	Failover(ctx context.Context, kill bool) (seconds float64, err error)
}

// Sized is a Target that knows the size of OpenBao's tables with their indexes.
type Sized interface {
	DatabaseMiB(ctx context.Context) (float64, error)
}

// Limiter is a Target whose OpenBao can be limited to some cores, 0.01 to 1024; 0 removes the
// limit.
type Limiter interface {
	SetCPUs(cores float64) error
}

// Delayer is a Target whose answers can be delayed, by 0 to 1 minute. The way through its proxy
// takes time of its own, so that both sides of a comparison need one, or neither.
type Delayer interface {
	SetDelay(by time.Duration) error
}

// Turner is a Target that one generator can drive by turns with another of the same kind.
type Turner interface {
	// DriveTurns drives the target as A and b as B, observes both meanwhile, and returns an
	// observation of each slice in order. The resources and events of each are those of its target
	// over all slices. It fills in Targets and Fixtures of the turns.
	DriveTurns(ctx context.Context, b Target, turns load.Turns) ([]Observation, error)
}

// Generator is what drives load from a process beside Steamer.
type Generator struct {
	K6      string // program with the extension
	Scripts string // directory of the workload scripts
	Dir     string // existing directory for the interval logs, one a job
}
