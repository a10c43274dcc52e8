// Package lab measures a real OpenBao on a real PostgreSQL that run as processes on this machine:
// it provisions tenants the way Rails does, drives k6 load, and samples what the processes use. It
// needs no cluster, so that it is quick, and says nothing about a chart: capacity searches, sizing
// and experiments with a server's configuration use it.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gitlab.com/steamer/steamer/harness/cpulimit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/localbao"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
)

// Tools are the programs that a lab runs, and where it keeps the logs of k6.
type Tools struct {
	OpenBao string // program
	K6      string // program with the extension
	Scripts string // directory of the workload scripts
	Dir     string // existing directory for k6's interval logs
}

// Spec is one lab. The zero value is a server as GitLab's chart configures it, with a pool of 8
// connections, all kept, without limits.
type Spec struct {
	Name    string                // names the lab in k6's logs and in errors
	Patch   json.RawMessage       // JSON Patch (RFC 6902) of OpenBao's configuration; nil changes nothing
	Env     []string              // further environment of OpenBao
	TLS     bool                  // serve the API over TLS
	Latency time.Duration         // added to each answer of PostgreSQL by a proxy; 0 puts no proxy in between, see Proxy
	Proxy   bool                  // put the proxy in between also without latency, as the null of a comparison
	Standby bool                  // run a second OpenBao on the same database
	CPUs    float64               // limit of OpenBao's processes together, in cores; 0 is none
	Recipes []*gitlab.Recipe      // how tenants are provisioned, in turn; nil is gitlab.Recipes
	Tenants int                   // 0 is gitlab.DefaultTenants
	Secrets int                   // of each tenant; 0 is gitlab.DefaultSecrets
	Seeded  func(done, total int) // progress of provisioning; may be nil
}

// Lab is a running server with its tenants.
type Lab struct {
	Spec
	Server  *localbao.Server
	Issuer  *gitlab.Issuer
	Tenants []gitlab.Tenant // those provisioned so far
	Version string          // of OpenBao
	Pool    int             // most connections of OpenBao to PostgreSQL, as it is configured
	Seeds   []*result.Seed  // of each Grow
	Limited string          // how the CPU limit is enforced; "" without one

	tools  Tools
	seed   string
	client *openbao.Client
	proxy  *proxy
	limit  *cpulimit.Group
}

// seed keys the values of the secrets, which live no longer than the lab.
const seed = "lab"

// Open starts the processes and provisions the tenants. Close what it returns, if the error is nil.
func Open(ctx context.Context, tools Tools, spec Spec) (*Lab, error) {
	l := &Lab{Spec: spec, tools: tools, seed: seed}
	if err := l.open(ctx); err != nil {
		l.Close()
		return nil, fmt.Errorf("lab %s: %w", spec.Name, err)
	}
	return l, nil
}

func (l *Lab) open(ctx context.Context) error {
	options := localbao.Options{Binary: l.tools.OpenBao, Patch: l.Patch, Env: l.Env, TLS: l.TLS}
	if l.CPUs > 0 {
		var err error
		if l.limit, err = cpulimit.New(l.CPUs); err != nil {
			return err
		}
		l.Limited, options.Started = l.limit.String(), l.limit.Add
	}
	if l.Latency > 0 || l.Proxy {
		options.Through = func(postgres string) (address string, err error) {
			l.proxy, err = startProxy(postgres, l.Latency)
			if err != nil {
				return "", err
			}
			return l.proxy.address(), nil
		}
	}
	var err error
	if l.Server, err = localbao.Start(ctx, options); err != nil {
		return err
	}
	if l.Issuer, err = gitlab.NewIssuer(l.Server.Issuer, gitlab.RS256); err != nil {
		return err
	}
	jwks, err := l.Issuer.JWKS()
	if err != nil {
		return err
	}
	l.Server.Publish(jwks)
	l.client = openbao.New(l.Server.Address, l.Server.HTTPClient())
	health, err := l.client.Health(ctx)
	if err != nil {
		return err
	}
	l.Version = health.Version
	if l.Pool, err = l.pool(); err != nil {
		return err
	}
	if l.Standby {
		if _, err := l.Server.Join(ctx); err != nil {
			return err
		}
	}
	tenants := l.Spec.Tenants
	if tenants == 0 {
		tenants = gitlab.DefaultTenants
	}
	return l.Grow(ctx, tenants)
}

// pool reads the size of the connection pool out of the configuration; OpenBao's default is 128.
func (l *Lab) pool() (int, error) {
	raw, err := l.Server.Nodes()[0].Config()
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

// Grow provisions further tenants until there are total, and fetches each of their secrets once.
func (l *Lab) Grow(ctx context.Context, total int) error {
	recipes, secrets := l.Recipes, l.Secrets
	if recipes == nil {
		var err error
		if recipes, err = gitlab.Recipes(); err != nil {
			return err
		}
	}
	if secrets == 0 {
		secrets = gitlab.DefaultSecrets
	}
	plan, err := gitlab.Plan(recipes, total, secrets)
	if err != nil {
		return err
	}
	seeder := &gitlab.Seeder{
		Client: l.client, Issuer: l.Issuer, Audience: l.Server.Audience, Seed: l.seed, Recipes: recipes, Replay: true,
		Progress: l.Seeded,
	}
	if total <= len(l.Tenants) {
		return nil
	}
	done, err := seeder.Run(ctx, plan[len(l.Tenants):])
	if done != nil {
		l.Seeds = append(l.Seeds, done)
	}
	if err != nil {
		return err
	}
	l.Tenants = plan
	return nil
}

// Check fetches a secret as a job does, on the node at address, and returns why it did not get the
// right value.
func (l *Lab) Check(ctx context.Context, address string) error {
	t := l.Tenants[0]
	jwt, err := l.Issuer.Pipeline(l.Server.Audience, t, gitlab.DefaultJob())
	if err != nil {
		return err
	}
	client := openbao.New(address, l.Server.HTTPClient())
	defer client.Close()
	a, err := gitlab.FetchOf(t, t.Secrets[0].Name, jwt).Do(ctx, client)
	switch {
	case err != nil:
		return err
	case !a.OK():
		return fmt.Errorf("%v", a)
	case a.Value() != t.Value(l.seed, t.Secrets[0]):
		return errors.New("a wrong value")
	}
	return nil
}

// Close ends the processes and removes what they left.
func (l *Lab) Close() {
	if l.client != nil {
		l.client.Close()
	}
	if l.Server != nil {
		l.Server.Stop()
	}
	if l.proxy != nil {
		l.proxy.stop()
	}
	if l.limit != nil {
		l.limit.Remove()
	}
}

// check finds out whether the programs are there before anything is started.
func (t Tools) check() error {
	var errs []error
	for _, path := range []string{t.K6, filepath.Join(t.Scripts, "fetch.js"), t.Dir} {
		_, err := os.Stat(path)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
