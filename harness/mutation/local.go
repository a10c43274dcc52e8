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
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// spacing is the distance of the numbers of two mutants' tenants on one server.
const spacing = 1000

// Local tries mutants on a real OpenBao and PostgreSQL that run as processes, or by charts check,
// one at a time: several Locals try several side by side. The zero value with Root set is ready;
// call Close when done.
type Local struct {
	Root      string // source tree
	Binary    string // OpenBao; "" takes what localbao takes
	Scenarios []scenario.Scenario

	shared *local.Target
	used   int // mutants tried on shared
	checks checks
}

// Close stops the server.
func (l *Local) Close() {
	if l.shared != nil {
		_ = l.shared.Close(context.Background()) // never fails
		l.shared = nil
	}
}

// Try tries a mutant that needs no cluster.
func (l *Local) Try(ctx context.Context, m Mutant) (Outcome, error) {
	if m.static() {
		l.checks.root = l.Root
		return l.checks.try(ctx, m)
	}
	started := time.Now()
	list, err := scenario.Select(l.Scenarios, m.pattern())
	if err != nil {
		return Outcome{}, err
	}
	results, err := l.try(ctx, m, list)
	if err != nil {
		return Outcome{}, err
	}
	o := judge(m, results)
	o.Seconds = time.Since(started).Seconds()
	return o, ctx.Err()
}

// try provisions a tenant of each recipe as the mutant would, and runs the scenarios.
func (l *Local) try(ctx context.Context, m Mutant, list []scenario.Scenario) ([]result.Scenario, error) {
	var recipes []*gitlab.Recipe
	for _, file := range []string{"two-level-jwt.yaml", "three-level-cel.yaml", "group/three-level-cel.yaml"} {
		recipe, err := l.recipe(m, file)
		if err != nil {
			return nil, err
		}
		recipes = append(recipes, recipe)
	}
	projects := recipes[:2:2]
	t, base, err := l.open(ctx, m, projects)
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Close(ctx) }() // never fails
	_, _, err = t.Grow(ctx, len(projects))
	var unfit target.UnfitError
	if errors.As(err, &unfit) {
		return []result.Scenario{{ID: provision, Status: result.Failed, Reason: err.Error()}}, nil
	}
	if err != nil {
		return nil, err
	}
	env, done, err := t.Env()
	if err != nil {
		return nil, err
	}
	defer done()
	env.Recipes = recipes
	stop, err := scenario.PlayStacks(env, base, projects)
	if err != nil {
		return nil, err
	}
	defer stop()
	results, err := scenario.Run(ctx, env, list, scenario.Options{})
	if errors.Is(err, scenario.ErrAbandoned) { // what does not return has failed, and the results say so
		err = nil
	}
	return results, err
}

// open returns a server of its own where the mutant changes that, else tenants of its own on the
// shared one, whose numbers begin at base.
func (l *Local) open(ctx context.Context, m Mutant, recipes []*gitlab.Recipe) (t *local.Target, base int, err error) {
	spec := local.Spec{Server: localbao.Options{Binary: l.Binary}, Recipes: recipes}
	if len(m.Config) > 0 {
		if spec.Server.Patch, err = json.Marshal(m.Config); err == nil {
			t, err = local.Open(ctx, spec)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("mutant %s: %w", m.ID, err)
		}
		return t, 0, nil
	}
	if l.shared == nil {
		if l.shared, err = local.Open(ctx, spec); err != nil {
			return nil, 0, err
		}
	}
	l.used++
	return l.shared.Beside(l.used*spacing, recipes), l.used * spacing, nil
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
