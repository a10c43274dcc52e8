package baotest

import (
	"context"
	"fmt"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// ownerPolicy is GitLab's policy of a project's owner, who may write secrets and not read them.
const ownerPolicy = `{"path":{
 "secrets/kv/data/*":{"capabilities":["create","update","delete","list","scan"]},
 "secrets/kv/metadata/*":{"capabilities":["create","read","update","delete","list","scan"]},
 "secrets/kv/detailed-metadata/*":{"capabilities":["list"]}}}`

// write is one call of the seeding.
type write struct {
	path string
	body object
}

// seed provisions Rails' own login and the tenants, in Rails' order: namespace, mount, logins,
// policies, roles, secrets.
func (s *Server) seed(ctx context.Context, tenants, secrets int) (err error) {
	s.Fixture.Rails, err = s.login("auth/admin_jwt", "admin", object{"sub": "admin"})
	if err != nil {
		return err
	}
	writes := append(s.method("", "admin_jwt", "admin", object{
		"user_claim": "sub", "bound_subject": "admin", "token_policies": []string{"admin"}, "token_type": "batch",
		"token_ttl": "1h",
	}), write{"sys/policies/acl/admin", object{
		"policy": `path "*" { capabilities = ["create","read","update","patch","delete","list","sudo"] }`,
	}}, write{"sys/namespaces/group_1", object{}})
	for i := range tenants {
		more, err := s.tenant(fmt.Sprintf("project_%d", i+1), secrets)
		if err != nil {
			return err
		}
		writes = append(writes, more...)
	}
	for _, w := range writes {
		if err := s.post(ctx, w.path, w.body); err != nil {
			return err
		}
	}
	return nil
}

// tenant adds one tenant to the fixture and returns what makes it.
func (s *Server) tenant(project string, secrets int) ([]write, error) {
	ns := "group_1/" + project
	t := fixture.Tenant{
		Name: ns, SecretPath: ns + "/secrets/kv/data/explicit", AuthPath: ns + "/auth/pipeline_jwt/login",
		Role: "all_pipelines",
	}
	claims := object{"project_id": project, "secrets_manager_scope": "pipeline"}
	var err error
	if t.JWT, err = s.keys.sign(claims); err != nil {
		return nil, err
	}
	t.Owner, err = s.login(ns+"/auth/user_jwt", "all_users", object{"sub": "user:owner", "tenant": ns})
	if err != nil {
		return nil, err
	}
	writes := []write{
		{"group_1/sys/namespaces/" + project, object{}},
		{ns + "/sys/mounts/secrets/kv", object{"type": "kv-v2"}},
		{ns + "/sys/policies/acl/pipelines", object{
			"policy": `path "secrets/kv/data/explicit/SECRET_*" { capabilities = ["read"] }`,
		}},
		{ns + "/sys/policies/acl/users/roles/50", object{"policy": ownerPolicy}},
	}
	writes = append(writes, s.method(ns+"/", "pipeline_jwt", t.Role, object{
		"user_claim": "project_id", "bound_claims": claims, "token_policies": []string{"pipelines", "pipelines/global"},
		"token_type": s.tokenType, "token_ttl": "15m",
	})...)
	writes = append(writes, s.method(ns+"/", "user_jwt", "all_users", object{
		"user_claim": "sub", "bound_claims": object{"tenant": ns}, "token_policies": []string{"users/roles/50"},
		"token_ttl": "15m",
	})...)
	for n := range secrets {
		name := fmt.Sprintf("SECRET_%d", n+1)
		value := Value(ns, name)
		writes = append(writes, write{t.SecretPath + "/" + name, object{"data": object{"value": value}}})
		t.Secrets = append(t.Secrets, fixture.Secret{Name: name, SHA256: digest(value)})
	}
	s.Fixture.Tenants = append(s.Fixture.Tenants, t)
	return writes, nil
}

// method makes a JWT login with one role.
func (s *Server) method(namespace, mount, role string, settings object) []write {
	settings["role_type"], settings["bound_audiences"] = "jwt", []string{audience}
	return []write{
		{namespace + "sys/auth/" + mount, object{"type": "jwt"}},
		{namespace + "auth/" + mount + "/config", object{
			"bound_issuer": issuer, "jwt_validation_pubkeys": []string{s.publicKey}, "jwt_supported_algs": []string{"ES256"},
		}},
		{namespace + "auth/" + mount + "/role/" + role, settings},
	}
}

// login is a login of the fixture with one token of the given claims.
func (s *Server) login(mount, role string, claims object) (*fixture.Login, error) {
	jwt, err := s.keys.sign(claims)
	return &fixture.Login{AuthPath: mount + "/login", Role: role, JWTs: []string{jwt}}, err
}
