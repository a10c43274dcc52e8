// Package local has targets that run as processes on this machine: a real OpenBao on a real
// PostgreSQL. They need no cluster, so that they are quick, and say nothing about a chart.
// Searches for capacity, sizing, comparisons of configurations, mutants and experiments use them.
package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/delay"
	"gitlab.com/steamer/steamer/harness/target/local/cpulimit"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// Spec is one target. The zero value is a server as GitLab's chart configures it, with a pool of 8
// connections, all kept, without limits.
type Spec struct {
	Server    localbao.Options   // program, configuration patch, environment, TLS
	Generator target.Generator   // for Drive
	Latency   time.Duration      // added to each answer of PostgreSQL by a proxy; 0 puts no proxy in between, see Proxy
	Proxy     bool               // put that proxy in between also without latency, as the null of a comparison
	Standby   bool               // run a second OpenBao on the same database
	CPUs      float64            // limit of OpenBao's processes together, in cores; 0 is none
	Limits    bool               // run OpenBao in a control group of its own, so that SetCPUs may be called
	Delays    bool               // drive through a proxy, so that SetDelay may be called
	WatchPool bool               // ask PostgreSQL four times a second for its connections, which it pays for
	Recipes   []*gitlab.Recipe   // how tenants are provisioned, in turn; nil is gitlab.RecipesFor the program
	Secrets   int                // of each tenant; 0 is gitlab.DefaultSecrets
	Seeded    func(done, of int) // progress of Grow; may be nil
}

// Target is a running server with its tenants. It is a target.Target, Sized, Turner, with Standby
// a Restarter, with Limits a Limiter and with Delays a Delayer.
type Target struct {
	spec    Spec
	tenancy target.Tenancy
	server  *localbao.Server
	version string
	pool    int // most connections of OpenBao to PostgreSQL, with WatchPool
	shared  bool

	limit    *cpulimit.Group
	answers  *delay.Proxy // of OpenBao, with Delays
	database *delay.Proxy // of PostgreSQL, with Latency or Proxy
}

var (
	_ target.Restarter = (*Target)(nil)
	_ target.Limiter   = (*Target)(nil)
	_ target.Delayer   = (*Target)(nil)
	_ target.Sized     = (*Target)(nil)
	_ target.Turner    = (*Target)(nil)
)

// Open starts the processes. Close what it returns, if the error is nil.
func Open(ctx context.Context, spec Spec) (*Target, error) {
	t := &Target{spec: spec}
	if err := t.open(ctx); err != nil {
		return nil, errors.Join(err, t.Close(ctx))
	}
	return t, nil
}

func (t *Target) open(ctx context.Context) error {
	if err := t.start(ctx); err != nil {
		return err
	}
	issuer, err := t.server.Trust()
	if err != nil {
		return err
	}
	t.tenancy = target.Tenancy{
		Client: t.spec.Server.Kind.Client(t.server.Address, t.server.HTTPClient()), Issuer: issuer,
		Audience: t.server.Audience,
		Seed:     rand.Text(), Recipes: t.spec.Recipes, Secrets: t.spec.Secrets, Progress: t.spec.Seeded,
	}
	if t.spec.Secrets == 0 {
		t.tenancy.Secrets = gitlab.DefaultSecrets
	}
	if t.spec.Recipes == nil {
		if t.tenancy.Recipes, err = gitlab.RecipesFor(t.spec.Server.Kind); err != nil {
			return err
		}
	}
	health, err := t.tenancy.Client.Health(ctx)
	if err != nil {
		return err
	}
	t.version = health.Version
	if t.spec.WatchPool {
		if t.pool, err = t.poolSize(); err != nil {
			return err
		}
	}
	if t.spec.Standby {
		if _, err := t.server.Join(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start starts the server with what it needs around it.
func (t *Target) start(ctx context.Context) (err error) {
	options := t.spec.Server
	if t.spec.CPUs > 0 || t.spec.Limits {
		if t.limit, err = cpulimit.New(t.spec.CPUs); err != nil {
			return err
		}
		options.Started = t.limit.Add
	}
	if t.spec.Latency > 0 || t.spec.Proxy {
		options.Through = func(postgres string) (string, error) {
			if t.database == nil { // all nodes share the one way
				if t.database, err = delay.Start(postgres); err != nil {
					return "", err
				}
			}
			return t.database.Address(), t.database.Set(t.spec.Latency)
		}
	}
	t.server, err = localbao.Start(ctx, options)
	if err != nil && exit.CodeOf(err) == exit.Internal && ctx.Err() == nil {
		return target.UnfitError{Err: err} // neither the program nor PostgreSQL is missing: it is this configuration
	}
	if err != nil || !t.spec.Delays {
		return err
	}
	address, err := url.Parse(t.server.Address)
	if err != nil {
		return err
	}
	t.answers, err = delay.Start(address.Host)
	return err
}

// Beside returns a target on the same processes with tenants of its own, whose numbers begin at
// first, and recipes of its own. Its Close leaves the processes alone.
func (t *Target) Beside(first int, recipes []*gitlab.Recipe) *Target {
	other := *t
	other.shared = true
	other.tenancy = t.tenancy.Beside(first, recipes)
	return &other
}

// Info describes what runs.
func (t *Target) Info() target.Info {
	info := target.Info{Name: target.Processes, Versions: map[string]string{t.spec.Server.Kind.String(): t.version}}
	if t.spec.Server.Patch != nil {
		sum := sha256.Sum256(t.spec.Server.Patch)
		info.Config = "sha256:" + hex.EncodeToString(sum[:])
	}
	if t.limit != nil {
		info.CPUs = t.limit.Cores()
	}
	if info.CPUs > 0 {
		info.Limited = t.limit.String()
	}
	if t.answers != nil {
		info.Delay = t.answers.Delay()
	}
	return info
}

// Tenants are those provisioned so far.
func (t *Target) Tenants() []gitlab.Tenant { return t.tenancy.Tenants() }

// Grow provisions tenants until there are total.
func (t *Target) Grow(ctx context.Context, total int) (*result.Seed, target.Observation, error) {
	if total <= len(t.Tenants()) {
		seed, err := t.tenancy.Grow(ctx, total)
		return seed, target.Observation{}, err
	}
	w := t.watch(ctx, sampleEvery)
	seed, err := t.tenancy.Grow(ctx, total)
	seen := w.stop()
	if err != nil && ctx.Err() == nil {
		err = target.UnfitError{Err: err}
	}
	return seed, seen, err
}

// Env is the target as scenarios see it.
func (t *Target) Env() (*scenario.Env, func(), error) {
	client := t.spec.Server.Kind.Client(t.server.Address, t.server.HTTPClient())
	env := &scenario.Env{
		Topology: "local", Kind: t.spec.Server.Kind, Address: t.server.Address, CA: t.server.CA, Client: client,
		Issuer:   t.tenancy.Issuer,
		Audience: t.tenancy.Audience, Tenants: t.Tenants(), Recipes: t.tenancy.Recipes, Seed: t.tenancy.Seed,
		AuditFile: t.server.AuditLog(),
	}
	own, _, err := env.Prepare()
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return own, client.Close, nil
}

// SetCPUs limits OpenBao from now on to some cores, 0 for no limit.
func (t *Target) SetCPUs(cores float64) error {
	if t.limit == nil {
		return errors.New("the target has no control group of its own: see Spec.Limits")
	}
	return t.limit.Set(cores)
}

// SetDelay delays every answer from now on.
func (t *Target) SetDelay(by time.Duration) error {
	if t.answers == nil {
		return errors.New("the target has no proxy: see Spec.Delays")
	}
	return t.answers.Set(by)
}

// Close ends the processes and removes what they left. Its error is always nil.
func (t *Target) Close(context.Context) error {
	if t.shared {
		return nil
	}
	if t.tenancy.Client != nil {
		t.tenancy.Client.Close()
	}
	for _, proxy := range []**delay.Proxy{&t.answers, &t.database} {
		if *proxy != nil {
			(*proxy).Stop()
			*proxy = nil
		}
	}
	if t.server != nil {
		t.server.Stop()
		t.server = nil
	}
	if t.limit != nil {
		t.limit.Remove()
		t.limit = nil
	}
	return nil
}

// poolSize reads the size of the connection pool out of the configuration; OpenBao's default is
// 128.
func (t *Target) poolSize() (int, error) {
	raw, err := t.server.Nodes()[0].Config()
	if err != nil {
		return 0, err
	}
	var c struct {
		Storage struct {
			PostgreSQL struct {
				MaxParallel string `json:"max_parallel"`
			} `json:"postgresql"`
		} `json:"storage"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return 0, fmt.Errorf("configuration: %w", err)
	}
	if c.Storage.PostgreSQL.MaxParallel == "" {
		return 128, nil
	}
	return strconv.Atoi(c.Storage.PostgreSQL.MaxParallel)
}
