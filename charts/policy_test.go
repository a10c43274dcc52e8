package charts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// policy is an ACL policy: capabilities by path.
type policy map[string][]string

const (
	scoped = "config: {initialize: {policy: scoped}}"
	// operator adds a login beside Rails' that may do everything, to change Rails' policy with.
	operator = `config: {initialize: {extra: [{operator: {request: [
		{policy: {operation: update, path: sys/policies/acl/operator, data: {
			policy: '{"path": {"*": {"capabilities": ["create", "read", "update", "delete", "list", "sudo"]}}}'}}},
		{role: {operation: update, path: auth/gitlab_rails_jwt/role/operator, data: {role_type: jwt, user_claim: user_id,
			bound_audiences: [` + audience + `], bound_claims: {secrets_manager_scope: privileged},
			token_policies: [operator]}}}]}}]}}`
)

// railsPolicy is the policy that the bootstrap Job gives Rails.
func railsPolicy(t *testing.T, values string) policy {
	t.Helper()
	config := decode[*corev1.ConfigMap](t, renderOpenBao(t, values, "templates/bootstrap.yaml"), "openbao-bootstrap")
	text := dig(t, parse(t, config.Data["config.json"]), "initialize", 0, "gitlab-auth", "request", 2,
		"policy-secrets-manager", "data", "policy").(string)
	var document struct {
		Path map[string]struct{ Capabilities []string }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	found := policy{}
	for at, rule := range document.Path {
		found[at] = rule.Capabilities
	}
	return found
}

// lives makes every call by which Rails takes tenants through their lives.
type lives struct {
	client *openbao.Client
	issuer *gitlab.Issuer
	next   int // offset of tenants that nobody has met
}

// call makes one request with the login of a role.
func (l *lives) call(ctx context.Context, role, method, at string, body any) (*openbao.Response, error) {
	auth, err := l.issuer.RailsAuth(audience)
	if err != nil {
		return nil, err
	}
	auth.Role = role
	return l.client.Do(ctx, openbao.Request{Method: method, Path: at, Body: body, Auth: auth})
}

// rails makes one of Rails' own requests. A refusal is an error that names it.
func (l *lives) rails(ctx context.Context, method, at string) error {
	r, err := l.call(ctx, "app", method, at, nil)
	if err == nil && !r.OK() {
		err = fmt.Errorf("%s %s: status %d: %s", method, at, r.Status, r.Message())
	}
	return err
}

// live takes a new tenant of each recipe through its life, until a call is refused: provisioned,
// given a secret, listed, its secret's value rotated and its scope changed, the secret's
// permission withdrawn, provisioned again and deprovisioned. At last it stores a recovery key.
func (l *lives) live(ctx context.Context, recipes []*gitlab.Recipe) error {
	l.next += 10
	for n, recipe := range recipes {
		id := l.next + n
		secret := gitlab.Secret{Name: "NAME", Environment: "production", Branch: gitlab.Any, Version: 1}
		if recipe.ID == "group-three-level-cel" {
			secret.Branch = "protected" // group secrets know no branches
		}
		tenant, err := recipe.Place(gitlab.Tenant{
			Org: id, Group: id, Project: id, User: id, Secrets: []gitlab.Secret{secret},
		})
		if err != nil {
			return err
		}
		if err := l.liveOne(ctx, recipe, tenant); err != nil {
			return fmt.Errorf("%s: %w", recipe.ID, err)
		}
	}
	const recovery = "sys/rotate/recovery/init" // the first time it makes the key, then it begins to rotate it
	r, err := l.call(ctx, "app", http.MethodPost, recovery, map[string]int{"secret_shares": 1, "secret_threshold": 1})
	if err == nil && r.Status == http.StatusForbidden {
		err = fmt.Errorf("POST %s: status %d: %s", recovery, r.Status, r.Message())
	}
	return err
}

func (l *lives) seeder(recipe *gitlab.Recipe) *gitlab.Seeder {
	return &gitlab.Seeder{
		Client: l.client, Issuer: l.issuer, Audience: audience, Seed: "seed", Recipes: []*gitlab.Recipe{recipe}, Replay: true,
	}
}

func (l *lives) liveOne(ctx context.Context, recipe *gitlab.Recipe, tenant gitlab.Tenant) error {
	s := l.seeder(recipe)
	secret := tenant.Secrets[0]
	staging := secret
	staging.Environment = "staging"
	parent, leaf := path.Split(tenant.Name)
	kv := strings.Replace(tenant.SecretPath, "/data/", "/detailed-metadata/", 1)
	provision := func() error {
		_, err := s.Run(ctx, []gitlab.Tenant{tenant})
		return err
	}
	for _, step := range []func() error{
		provision,
		func() error { return l.rails(ctx, http.MethodGet, tenant.Name+"/sys/mounts") },
		func() error { return l.rails(ctx, http.MethodGet, kv+"?list=true") },
		func() error { return s.Store(ctx, tenant, secret, tenant.Value(s.Seed, secret)) },
		func() error { return s.Withdraw(ctx, tenant, secret) },
		func() error { return s.Grant(ctx, tenant, staging) },
		func() error { return s.Withdraw(ctx, tenant, staging) },
		provision,
		func() error { return l.rails(ctx, http.MethodDelete, parent+"sys/namespaces/"+leaf) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// write replaces Rails' policy.
func (l *lives) write(t *testing.T, p policy) {
	t.Helper()
	document := map[string]map[string]any{}
	for at, capabilities := range p {
		document[at] = map[string]any{"capabilities": capabilities}
	}
	text, err := json.Marshal(map[string]any{"path": document})
	require.NoError(t, err)
	r, err := l.call(t.Context(), "operator", http.MethodPost, "sys/policies/acl/secrets_manager",
		map[string]string{"policy": string(text)})
	require.NoError(t, err)
	require.True(t, r.OK(), "status %d: %s", r.Status, r.Message())
}

// TestRailsPolicy replays every call of the recipes on a real OpenBao that the chart gave the
// scoped policy: all are allowed, and without any one of its capabilities one of them is not.
func TestRailsPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	values := with(t, with(t, s.fresh(t, "scoped"), scoped), operator)
	out, err := s.bootstrap(t, values, "http://127.0.0.1:1")
	require.NoError(t, err, out)
	n := s.startNode(t, values)
	becomes(t, n, http.StatusOK)
	l := &lives{client: openbao.New(n.api, nil), issuer: s.issuer}
	t.Cleanup(l.client.Close)
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	group, err := gitlab.GroupRecipe()
	require.NoError(t, err)
	recipes = append(recipes, group)
	require.NoError(t, l.live(t.Context(), recipes), "a call that the policy does not allow")

	full := railsPolicy(t, scoped)
	for _, at := range slices.Sorted(maps.Keys(full)) {
		for _, capability := range full[at] {
			rest := slices.DeleteFunc(slices.Clone(full[at]), func(c string) bool {
				return c == capability || capability == "update" && c == "create"
			})
			if capability == "deny" || capability == "create" {
				continue // create and update are one: which of them a call needs is the server's affair
			}
			less := maps.Clone(full)
			less[at] = rest
			if len(rest) == 0 {
				delete(less, at)
			}
			l.write(t, less)
			err := l.live(t.Context(), recipes)
			require.ErrorContains(t, err, "status 403", "no call of the recipes needs %s at %s", capability, at)
			t.Logf("without %s at %s: %v", capability, at, err)
		}
	}
	l.write(t, full)
	require.NoError(t, l.live(t.Context(), recipes))
	l.mayNot(t, recipes[1])
}

// mayNot checks that the scoped policy is no root's: Rails reads no value, and reaches neither the
// server's own matters nor its own policy and role.
func (l *lives) mayNot(t *testing.T, recipe *gitlab.Recipe) {
	t.Helper()
	tenant, err := recipe.Place(gitlab.Tenant{Org: 1, Group: 1, Project: 1, User: 1})
	require.NoError(t, err)
	s := l.seeder(recipe)
	secret := gitlab.Secret{Name: "NAME", Environment: gitlab.Any, Branch: gitlab.Any, Version: 1}
	_, err = s.Run(t.Context(), []gitlab.Tenant{tenant})
	require.NoError(t, err)
	require.NoError(t, s.Store(t.Context(), tenant, secret, "value"))
	for _, request := range []string{
		"GET " + tenant.SecretPath + "/NAME", "GET " + tenant.Name + "/sys/auth", "GET sys/audit", "GET sys/auth",
		"GET sys/policies/acl/secrets_manager", "POST sys/policies/acl/secrets_manager", "POST sys/policies/acl/own",
		"POST auth/gitlab_rails_jwt/role/app", "POST auth/token/create", "POST sys/step-down", "POST sys/seal",
		"GET sys/raw/core", "POST sys/rotate/keyring", "POST sys/auth/own", "DELETE sys/namespaces/" + tenant.Name,
	} {
		method, at, _ := strings.Cut(request, " ")
		r, err := l.call(t.Context(), "app", method, at, map[string]any{})
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, r.Status, "%s: %s", request, r.Message())
	}
}
