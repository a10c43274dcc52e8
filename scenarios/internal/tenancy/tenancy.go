// Package tenancy provisions tenants for a single scenario, so that its writes affect no other.
package tenancy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/wait"
)

// cleanUp bounds how long the removal of a tenant may take: OpenBao removes a namespace in the
// background, and others' on the same machine meanwhile.
const cleanUp = time.Minute

// firstID is far above the IDs of any plan. IDs are random, so that neither a repeated run nor a
// parallel scenario meets a namespace that is still being removed.
const firstID = 1_000_000

// Of returns the recipes for projects that scenarios provision with.
func Of(env *scenario.Env) ([]*gitlab.Recipe, error) {
	if env.Recipes == nil {
		return gitlab.Recipes()
	}
	return slices.DeleteFunc(slices.Clone(env.Recipes), isGroup), nil
}

// Group returns the recipe for groups.
func Group(env *scenario.Env) (*gitlab.Recipe, error) {
	if i := slices.IndexFunc(env.Recipes, isGroup); i >= 0 {
		return env.Recipes[i], nil
	}
	return gitlab.GroupRecipe()
}

func isGroup(r *gitlab.Recipe) bool { return strings.HasPrefix(r.ID, "group-") }

// Each provisions a tenant of every recipe with the secrets and calls test with it; afterwards the
// tenant is gone.
func Each(ctx context.Context, t scenario.T, env *scenario.Env, secrets []gitlab.Secret,
	test func(tenant gitlab.Tenant),
) {
	t.Helper()
	recipes, err := Of(env)
	require.NoError(t, err)
	for _, r := range recipes {
		wanted := Fresh(secrets)
		for _, neighbour := range env.Tenants {
			if neighbour.Recipe == r.ID { // an existing group saves creating and removing a namespace
				wanted.Org, wanted.Group = neighbour.Org, neighbour.Group
			}
		}
		tenants, remove := Make(ctx, t, env, r, wanted)
		func() {
			defer remove()
			test(tenants[0])
		}()
	}
}

// Fresh returns a tenant with unique IDs. Make places and provisions it.
func Fresh(secrets []gitlab.Secret) gitlab.Tenant {
	id := firstID + rand.IntN(1<<30)
	return gitlab.Tenant{Org: id, Group: id + 1, Project: id + 2, User: id + 3, Secrets: secrets}
}

// Make provisions tenants by a recipe. The scenario must call remove.
func Make(ctx context.Context, t scenario.T, env *scenario.Env, r *gitlab.Recipe, wanted ...gitlab.Tenant) (
	made []gitlab.Tenant, remove func(),
) {
	t.Helper()
	for _, w := range wanted {
		placed, err := r.Place(w)
		require.NoError(t, err)
		made = append(made, placed)
	}
	remove = func() { Remove(ctx, t, env, made...) }
	seeder := &gitlab.Seeder{
		Client: env.Client, Issuer: env.Issuer, Audience: env.Audience, Seed: env.Seed, Recipes: []*gitlab.Recipe{r},
	}
	if _, err := seeder.Run(ctx, made); err != nil {
		remove()
		t.Errorf("provisioning a tenant for the scenario: %v", err)
		t.FailNow()
	}
	return made, remove
}

// Remove deletes the namespaces of tenants, innermost first, also when ctx has ended, and returns
// when they are gone. Namespaces of the environment's tenants stay. OpenBao deletes in the
// background, and a leader that is killed meanwhile leaves half a namespace, at which every later
// leader panics (openbao/openbao#2921): no scenario may start before the last one's are gone.
func Remove(ctx context.Context, t scenario.T, env *scenario.Env, tenants ...gitlab.Tenant) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	names := map[string]int{} // to their depth
	for _, tenant := range tenants {
		for name := tenant.Name; name != "." && !shared(env, name); name = path.Dir(name) {
			names[name] = strings.Count(name, "/")
		}
	}
	order := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return names[b] - names[a] })
	for _, begun := range []bool{true, false} {
		for _, name := range order {
			_, err := wait.Until(ctx, wait.For{What: "namespace " + name + " is deleted", Interval: env.Timeouts.Poll / 4},
				func(ctx context.Context) error { return removed(ctx, env, name, begun) })
			if err != nil {
				t.Errorf("cleanup: %v", err)
				return
			}
		}
	}
}

// noNamespace is what OpenBao answers to the deletion of a namespace that is gone; Rails heeds it.
const noNamespace = "requested namespace does not exist"

// removed asks for the deletion of a namespace and reports what is missing until it is gone, or
// until it has begun. Rails' policy may let it make the outermost ones and never delete them, as
// GitLab does: those stay, empty.
func removed(ctx context.Context, env *scenario.Env, name string, begun bool) error {
	parent, leaf := path.Split(name)
	r, err := env.Rails(ctx, http.MethodDelete, parent+"sys/namespaces/"+leaf, nil)
	switch {
	case err != nil || r.Status == http.StatusNotFound || r.Status == http.StatusForbidden && parent == "":
		return err
	case !r.OK(): // among them: it still contains a child
		return fmt.Errorf("status %d: %s", r.Status, r.Message())
	case begun || slices.Contains(r.Errors, noNamespace):
		return nil
	}
	return errors.New("it is still there")
}

// shared reports whether a tenant of the environment lives in a namespace.
func shared(env *scenario.Env, name string) bool {
	return slices.ContainsFunc(env.Tenants, func(t gitlab.Tenant) bool { return strings.HasPrefix(t.Name+"/", name+"/") })
}

// UserAuth is the login of the tenant's owner with a fresh JWT.
func UserAuth(env *scenario.Env, tenant gitlab.Tenant) (*openbao.InlineAuth, error) {
	recipes, err := Of(env)
	if err != nil {
		return nil, err
	}
	for _, r := range recipes {
		if r.ID == tenant.Recipe {
			return r.UserAuth(env.Issuer, env.Audience, tenant)
		}
	}
	return nil, fmt.Errorf("tenant %s: unknown recipe %q", tenant.Name, tenant.Recipe)
}

// AsUser makes a request on behalf of the tenant's owner.
func AsUser(ctx context.Context, env *scenario.Env, tenant gitlab.Tenant, method, path string,
	body any,
) (*openbao.Response, error) {
	auth, err := UserAuth(env, tenant)
	if err != nil {
		return nil, err
	}
	return env.Client.Do(ctx, openbao.Request{Method: method, Path: path, Body: body, Auth: auth})
}

// AsJob makes a request on behalf of a job that may read all the tenant's secrets.
func AsJob(ctx context.Context, env *scenario.Env, tenant gitlab.Tenant, method, path string,
	body any,
) (*openbao.Response, error) {
	jwt, err := env.Issuer.Pipeline(env.Audience, tenant, gitlab.DefaultJob())
	if err != nil {
		return nil, err
	}
	auth := &openbao.InlineAuth{Path: tenant.AuthPath, Role: tenant.Role, JWT: jwt}
	return env.Client.Do(ctx, openbao.Request{Method: method, Path: path, Body: body, Auth: auth})
}
