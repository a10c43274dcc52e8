package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/client-go/kubernetes"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/secret"
)

// Env is everything a scenario may use. Fields that an environment does not have
// are zero; scenarios that need them name the feature and are skipped.
type Env struct {
	Topology  string
	Kind      openbao.Kind    // of the server
	Address   string          // base URL that reaches the active node, normally on loopback
	CA        []byte          // PEM of the certificate authority behind Address and the pods' ports; nil for plain HTTP
	Client    *openbao.Client // nil makes one for Address
	Issuer    *gitlab.Issuer  // signs what GitLab signs; nil where a real GitLab does, and then only Stacks can be used
	Audience  string          // claim aud that OpenBao expects
	Tenants   []gitlab.Tenant
	Recipes   []*gitlab.Recipe // for tenants that scenarios provision; nil takes those that come with Steamer
	Seed      string           // keys the secrets' values
	Withhold  []string         // further secrets that no report may hold
	Kube      kubernetes.Interface
	Namespace string    // where the release is
	Others    []string  // further namespaces of the environment: database, stub
	Release   string    // Helm release and the prefix of its objects' names
	Selector  string    // label selector of the OpenBao pods and of the workload that makes them
	Pods      int       // that the release runs; 0 means one active and one standby
	Active    string    // Service that leads to the active pod only
	Container string    // container of a pod that runs OpenBao
	Unseal    KeyRef    // Secret with the static unseal key; zero where the dialect names none
	Installer Installer // nil where the release must not be changed
	Database  Database  // nil where PostgreSQL's administrator cannot be had
	Processes Processes // nil where nothing can be run in pods
	GitLab    GitLab    // nil where the issuer is a real GitLab
	AuditSink Sink      // zero where there is none
	AuditFile string    // where OpenBao writes its audit log; "" on a cluster, where that is the pods' standard output
	Stacks    []Stack   // projects behind GitLab's API
	Metrics   int       // port of the pods that serves metrics without a token; 0 where none does
	Previous  string    // archive or directory of the chart's previous release; "" where there is none
	Logs      PodLogs   // nil: only the logs of containers that still exist can be read
	Features  []Feature // those that do not follow from the other fields, e.g. FeatureSignals
	Artifacts string    // the run directory; "" when there is none
	Timeouts  Timeouts  // zero fields take their defaults
	// Capture saves diagnostics of the failed scenario with this ID; nil saves nothing.
	Capture func(ctx context.Context, id string) (Captured, error)
	// Outage returns the budget of a change, one of judge.OutageChanges, whose pods are replaced
	// by a strategy, and whether there is one. It may be nil: then outages are measured and not
	// judged.
	Outage func(change, strategy string) (judge.Outage, bool)
	// WatchMachine begins to watch the machine that everything shares. end returns what on it
	// keeps a measurement of that time from being the chart's, or "". It may be nil.
	WatchMachine func(ctx context.Context) (end func() string)
	// Surroundings returns what is wrong with the environment of the chart, such as a node without
	// disk space, or "". A scenario that fails meanwhile is not the chart's failure. It may be
	// nil.
	Surroundings func(ctx context.Context) string
}

// Captured is what was saved of a failure.
type Captured struct {
	Files   []string // the most useful first
	Crashes []string // sentences on programs under test that crashed by then; they are likely to explain the failure
}

// Prepare returns a copy whose zero fields have their defaults, for running scenarios. The caller
// must call the returned function when done.
func (e *Env) Prepare() (*Env, func(), error) {
	if e.Address == "" || (e.Issuer == nil || len(e.Tenants) == 0) && len(e.Stacks) == 0 {
		return nil, nil, errors.New("scenario environment: address and either issuer and tenants or stacks must be set")
	}
	own, done := *e, func() {}
	own.Timeouts = e.Timeouts.withDefaults()
	if own.Client == nil {
		own.Client = e.Kind.Client(e.Address, openbao.Trusting(true, e.CA))
		done = own.Client.Close
	}
	return &own, done, nil
}

// Scheme is what the pods' API and metrics are served by: "http" or "https".
func (e *Env) Scheme() string {
	if len(e.CA) > 0 {
		return "https"
	}
	return "http"
}

// KeyRef names the static unseal key in a Secret of the release's namespace.
type KeyRef struct {
	ID       string `json:"id"`                 // of the key in OpenBao's configuration
	Secret   string `json:"secret"`             // name of the Secret
	Key      string `json:"key"`                // key in the Secret's data
	External bool   `json:"external,omitempty"` // the chart creates no key: it must exist before an install
}

// Skip returns why a scenario does not run here, or "".
func (e *Env) Skip(s Scenario) string {
	if len(s.Topologies) > 0 && !slices.Contains(s.Topologies, e.Topology) {
		return fmt.Sprintf("does not apply to topology %s", e.Topology)
	}
	for _, f := range s.Features {
		if !e.Has(f) {
			return f.Lack()
		}
	}
	if e.Issuer == nil && !slices.Contains(s.Features, FeatureStack) {
		return "it needs tokens with arbitrary claims, and a real GitLab signs only those of its own jobs"
	}
	return ""
}

// AtLeast reports whether the OpenBao that answers is of a version or later.
func (e *Env) AtLeast(ctx context.Context, version string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeouts.Fetch)
	defer cancel()
	health, err := e.Client.Health(ctx)
	if err != nil {
		return false, err
	}
	return openbao.AtLeast(health.Version, version)
}

// Fetch gets a tenant's secret as a CI job does, within Timeouts.Fetch.
func (e *Env) Fetch(ctx context.Context, t gitlab.Tenant, name string, job gitlab.Job) (gitlab.Answer, error) {
	jwt, err := e.Issuer.Pipeline(e.Audience, t, job)
	if err != nil {
		return gitlab.Answer{}, err
	}
	return e.Send(ctx, gitlab.FetchOf(t, name, jwt))
}

// Send makes a fetch that the scenario composed, within Timeouts.Fetch.
func (e *Env) Send(ctx context.Context, f gitlab.Fetch) (gitlab.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeouts.Fetch)
	defer cancel()
	return f.Do(ctx, e.Client)
}

// Check fetches a secret as a job that may read it and returns why the answer is
// not the right value. The reason never holds the value.
func (e *Env) Check(ctx context.Context, t gitlab.Tenant, s gitlab.Secret) error {
	_, err := e.Read(ctx, t, s)
	return err
}

// Read is Check that also returns the right answer.
func (e *Env) Read(ctx context.Context, t gitlab.Tenant, s gitlab.Secret) (gitlab.Answer, error) {
	a, err := e.Fetch(ctx, t, s.Name, gitlab.DefaultJob())
	switch {
	case err != nil:
		return a, fmt.Errorf("%s of %s: %w", s.Name, t.Name, err)
	case !a.OK():
		return a, fmt.Errorf("%s of %s: %v", s.Name, t.Name, a)
	case a.Value() != t.Value(e.Seed, s):
		return a, fmt.Errorf("%s of %s: wrong value (%d bytes, KV version %d)", s.Name, t.Name, len(a.Value()), a.Version)
	}
	return a, nil
}

// Rails makes a request with Rails' privileges, within Timeouts.Fetch. A refusal is a response,
// not an error.
func (e *Env) Rails(ctx context.Context, method, path string, body any) (*openbao.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeouts.Fetch)
	defer cancel()
	auth, err := e.Issuer.RailsAuth(e.Audience)
	if err != nil {
		return nil, err
	}
	return e.Client.Do(ctx, openbao.Request{Method: method, Path: path, Body: body, Auth: auth})
}

// Sample returns at most n tenants, evenly spread, so that every recipe takes part.
func (e *Env) Sample(n int) []gitlab.Tenant {
	if n >= len(e.Tenants) {
		return e.Tenants
	}
	var out []gitlab.Tenant
	seen := map[string]bool{}
	for _, t := range e.Tenants { // one of each recipe first
		if !seen[t.Recipe] && len(out) < n {
			seen[t.Recipe] = true
			out = append(out, t)
		}
	}
	for i := len(out); i < n; i++ {
		out = append(out, e.Tenants[i*len(e.Tenants)/n])
	}
	return out
}

// Redactor knows every secret of the environment.
func (e *Env) Redactor() *secret.Redactor {
	var secrets []string
	for _, t := range e.Tenants {
		for _, s := range t.Secrets {
			secrets = append(secrets, t.Value(e.Seed, s))
		}
	}
	return secret.NewRedactor(append(secrets, e.Withhold...)...)
}
