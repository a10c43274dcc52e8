package baotest

import (
	"context"
	"slices"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// ownerPolicy is GitLab's policy of a project's owner, who may write secrets and not read them.
const ownerPolicy = `{"path":{
 "secrets/kv/data/*":{"capabilities":["create","update","delete","list","scan"]},
 "secrets/kv/metadata/*":{"capabilities":["create","read","update","delete","list","scan"]},
 "secrets/kv/detailed-metadata/*":{"capabilities":["list"]}}}`

// AddRails gives every tenant an owner login and returns the fixture in version 2: with it, with
// Rails' own login and with three job tokens for each tenant.
func (s *Server) AddRails(ctx context.Context) (*fixture.Fixture, error) {
	pub, err := s.keys.publicPEM()
	if err != nil {
		return nil, err
	}
	admin, err := s.keys.sign(map[string]any{"sub": "admin"})
	if err != nil {
		return nil, err
	}
	fx := *s.Fixture
	fx.Version = fixture.MaxVersion
	fx.Rails = &fixture.Login{AuthPath: "auth/admin_jwt/login", Role: "admin", JWTs: []string{admin}}
	fx.Tenants = slices.Clone(fx.Tenants)
	for i := range fx.Tenants {
		t := &fx.Tenants[i]
		for _, step := range []struct {
			path string
			body object
		}{
			{t.Name + "/sys/auth/user_jwt", object{"type": "jwt"}},
			{t.Name + "/auth/user_jwt/config", object{
				"bound_issuer": issuer, "jwt_validation_pubkeys": []string{pub}, "jwt_supported_algs": []string{"ES256"},
			}},
			{t.Name + "/sys/policies/acl/users/roles/50", object{"policy": ownerPolicy}},
			{t.Name + "/auth/user_jwt/role/all_users", object{
				"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{audience},
				"bound_claims": object{"tenant": t.Name}, "token_policies": []string{"users/roles/50"}, "token_ttl": "15m",
			}},
		} {
			if err := s.settle(ctx, step.path, step.body); err != nil {
				return nil, err
			}
		}
		owner, err := s.keys.sign(map[string]any{"sub": "user:owner", "tenant": t.Name})
		if err != nil {
			return nil, err
		}
		t.Owner = &fixture.Login{AuthPath: t.Name + "/auth/user_jwt/login", Role: "all_users", JWTs: []string{owner}}
		project := t.Name[len("group_1/"):]
		for range 2 {
			jwt, err := s.keys.sign(map[string]any{
				"sub": "project:" + project, "project_id": project,
				"secrets_manager_scope": "pipeline",
			})
			if err != nil {
				return nil, err
			}
			t.JWTs = append(t.JWTs, jwt)
		}
	}
	return &fx, nil
}
