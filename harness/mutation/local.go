package mutation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/localbao"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// spacing is the distance of the numbers of two environments' tenants on one server.
const spacing = 1000

// seed keys the values of the secrets in local environments, which live as long as the server's
// process.
const seed = "local"

// Local tries mutants on a real OpenBao and PostgreSQL that run as processes. The zero value with
// Root set is ready; call Close in the end.
type Local struct {
	Root      string // source tree
	Binary    string // OpenBao; "" takes what localbao takes
	Scenarios []scenario.Scenario

	shared *site
	used   int // environments made on shared
}

// site is a server with the issuer that it trusts.
type site struct {
	server *localbao.Server
	issuer *gitlab.Issuer
}

func open(ctx context.Context, binary string, patch []byte) (*site, error) {
	server, err := localbao.Start(ctx, localbao.Options{Binary: binary, Patch: patch})
	if err != nil {
		return nil, err
	}
	issuer, err := gitlab.NewIssuer(server.Issuer, gitlab.RS256)
	if err == nil {
		var jwks []byte
		if jwks, err = issuer.JWKS(); err == nil {
			server.Publish(jwks)
		}
	}
	if err != nil {
		server.Stop()
		return nil, err
	}
	return &site{server, issuer}, nil
}

// seedError is a failure to provision tenants: what lifecycle/provision reports in a run.
type seedError struct{ error }

// Close stops the server.
func (l *Local) Close() {
	if l.shared != nil {
		l.shared.server.Stop()
		l.shared = nil
	}
}

// Try tries a mutant that needs no cluster.
func (l *Local) Try(ctx context.Context, m Mutant) (Outcome, error) {
	started := time.Now()
	list, err := scenario.Select(l.Scenarios, m.pattern())
	if err != nil {
		return Outcome{}, err
	}
	env, closeEnv, err := l.environment(ctx, m)
	var unfit seedError
	if errors.As(err, &unfit) {
		o := judge(m, []result.Scenario{{ID: provision, Status: result.Failed, Reason: err.Error()}})
		o.Seconds = time.Since(started).Seconds()
		return o, ctx.Err()
	}
	if err != nil {
		return Outcome{}, err
	}
	defer closeEnv()
	results, err := scenario.Run(ctx, env, list, scenario.Options{})
	if err != nil && !errors.Is(err, scenario.ErrAbandoned) { // who does not return has failed, and the results say so
		return Outcome{}, err
	}
	o := judge(m, results)
	o.Seconds = time.Since(started).Seconds()
	return o, ctx.Err()
}

// environment provisions tenants as the mutant would: on a server of its own where it changes that,
// else on the shared one.
func (l *Local) environment(ctx context.Context, m Mutant) (*scenario.Env, func(), error) {
	if len(m.Config) > 0 {
		patch, err := json.Marshal(m.Config)
		if err != nil {
			return nil, nil, err
		}
		own, err := open(ctx, l.Binary, patch)
		if err != nil {
			return nil, nil, fmt.Errorf("mutant %s: %w", m.ID, err)
		}
		env, closeEnv, err := l.seeded(ctx, own, m, 0)
		if err != nil {
			own.server.Stop()
			return nil, nil, err
		}
		return env, func() { closeEnv(); own.server.Stop() }, nil
	}
	if l.shared == nil {
		var err error
		if l.shared, err = open(ctx, l.Binary, nil); err != nil {
			return nil, nil, err
		}
	}
	l.used++
	return l.seeded(ctx, l.shared, m, l.used*spacing)
}

// seeded provisions two tenants, one of each recipe, whose numbers start at base.
func (l *Local) seeded(ctx context.Context, on *site, m Mutant, base int) (*scenario.Env, func(), error) {
	var recipes []*gitlab.Recipe
	for _, file := range []string{"two-level-jwt.yaml", "three-level-cel.yaml", "group/three-level-cel.yaml"} {
		recipe, err := l.recipe(m, file)
		if err != nil {
			return nil, nil, err
		}
		recipes = append(recipes, recipe)
	}
	projects := recipes[:2:2]
	plan, err := gitlab.PlanAt(projects, base, len(projects), gitlab.DefaultSecrets)
	if err != nil {
		return nil, nil, err
	}
	client := openbao.New(on.server.Address, nil)
	seeder := &gitlab.Seeder{
		Client: client, Issuer: on.issuer, Audience: on.server.Audience, Seed: seed,
		Recipes: projects,
	}
	if _, err := seeder.Run(ctx, plan); err != nil {
		client.Close()
		return nil, nil, seedError{err}
	}
	env := &scenario.Env{
		Topology: "local", Address: on.server.Address, Client: client, Issuer: on.issuer, Audience: on.server.Audience,
		Tenants: plan, Recipes: recipes, Seed: seed, AuditFile: on.server.AuditLog(),
	}
	stop, err := scenario.PlayStacks(env, base, projects)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return env, func() { stop(); client.Close() }, nil
}

// recipe reads a recipe as the mutant changes it.
func (l *Local) recipe(m Mutant, file string) (*gitlab.Recipe, error) {
	path := filepath.Join(l.Root, kinds[Recipe], file)
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text := string(raw)
	if m.Kind == Recipe {
		if text, err = m.apply(file, text); err != nil {
			return nil, err
		}
	}
	return gitlab.ParseRecipe(path, []byte(text))
}
