// Package openbao is the k6 module k6/x/openbao: it fetches secrets from OpenBao as CI jobs do, in
// native Go.
package openbao

import (
	"crypto/x509"
	"fmt"
	"os"
	"sync"

	"go.k6.io/k6/v2/js/common"
	"go.k6.io/k6/v2/js/modules"

	"gitlab.com/steamer/steamer/perf/fetch"
	"gitlab.com/steamer/steamer/perf/fixture"
)

// RootModule is the process-wide part of the module: it reads each fixture once and lets all VUs
// share it.
type RootModule struct {
	mu    sync.Mutex
	plans map[string]*loaded
	pools map[string]*x509.CertPool // by path
}

// loaded is one fixture, or the reason why there is none: a pipe cannot be read a second time.
type loaded struct {
	plan *fetch.Plan
	err  error
}

var _ modules.Module = (*RootModule)(nil)

// New returns the module for modules.Register.
func New() *RootModule {
	return &RootModule{plans: map[string]*loaded{}, pools: map[string]*x509.CertPool{}}
}

func (r *RootModule) load(path string) (*fetch.Plan, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l, ok := r.plans[path]; ok {
		return l.plan, l.err
	}
	l := &loaded{}
	var fx *fixture.Fixture
	if fx, l.err = fixture.Load(path); l.err == nil {
		l.plan, l.err = fetch.NewPlan(fx)
	}
	r.plans[path] = l
	return l.plan, l.err
}

// certificates reads the CA file at path once.
func (r *RootModule) certificates(path string) (*x509.CertPool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pool, ok := r.pools[path]; ok {
		return pool, nil
	}
	pem, err := os.ReadFile(path) // #nosec G304 -- the script's author names the file
	if err != nil {
		return nil, err
	}
	pool, err := parseCA(pem)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.pools[path] = pool
	return pool, nil
}

// NewModuleInstance returns the module of one VU.
func (r *RootModule) NewModuleInstance(vu modules.VU) modules.Instance {
	m, err := registerMetrics(vu.InitEnv().Registry)
	if err != nil {
		common.Throw(vu.Runtime(), err)
	}
	return &instance{root: r, vu: vu, metrics: m}
}

// instance is the module as one VU sees it.
type instance struct {
	root    *RootModule
	vu      modules.VU
	metrics *metricSet
}

// Exports offers fixture both by name and on the default export.
func (i *instance) Exports() modules.Exports {
	named := map[string]any{"fixture": i.fixture}
	return modules.Exports{Default: named, Named: named}
}

// fixture is openbao.fixture(path).
func (i *instance) fixture(path string) (*Fixture, error) {
	plan, err := i.root.load(path)
	if err != nil {
		return nil, err
	}
	return &Fixture{Tenants: plan.Tenants(), Secrets: plan.Secrets(), plan: plan, instance: i}, nil
}

// Fixture is what openbao.fixture returns to the script.
type Fixture struct {
	// Tenants is the number of tenants.
	Tenants int `js:"tenants"`
	// Secrets is the number of secrets of all tenants.
	Secrets int `js:"secrets"`

	plan     *fetch.Plan
	instance *instance
}
