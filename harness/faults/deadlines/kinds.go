package deadlines

import (
	"context"
	"net/http"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

type m = map[string]any

// kind is something that grants access and can be revoked.
type kind struct {
	name, revokes string
	note          string
	expected      bool // that access goes on after the acknowledgement is documented
	awakeOnly     bool // a leader that sleeps changes nothing of it
	// grant makes what a trial needs, under its name, and sets its use and its revocation.
	grant func(context.Context, *trial) error
}

// space is the namespace of all trials, mount its KV v2, jobs its logins and reader a policy that
// may read.
const (
	space  = "deadlines"
	mount  = "secrets"
	jobs   = "jobs"
	reader = "reader"
)

const (
	secretPath = space + "/" + mount + "/data/k"
	readPolicy = `path "` + mount + `/data/*" { capabilities = ["read"] }`
)

var kinds = []kind{
	{name: "token", revokes: "POST auth/token/revoke", grant: grantToken},
	{name: "policy", revokes: "DELETE sys/policies/acl/NAME", grant: grantPolicy},
	{name: "role", revokes: "DELETE auth/jwt/role/NAME, of an inline login", grant: grantRole},
	{name: "mount", revokes: "DELETE sys/mounts/NAME", grant: grantMount},
	{name: "namespace", revokes: "DELETE sys/namespaces/NAME", grant: grantNamespace},
	{name: "key", revokes: "POST auth/jwt/config without the key (jwt_validation_pubkeys)", grant: grantKey},
	{
		name: "jwks", revokes: "the issuer does not publish the key any more", grant: grantPublished, expected: true,
		awakeOnly: true, note: "OpenBao fetches the keys of an issuer again only for a JWT of a key that it does not know",
	},
	{
		name: "jwks-login", revokes: "the same, and a login with the next key was granted", grant: grantNextPublished,
		awakeOnly: true,
	},
}

func post(path string, body any) openbao.Request {
	return openbao.Request{Method: http.MethodPost, Path: path, Body: body}
}

func remove(path string) openbao.Request {
	return openbao.Request{Method: http.MethodDelete, Path: path}
}

func read(path string) openbao.Request { return openbao.Request{Method: http.MethodGet, Path: path} }

// as is a request with a token of its own.
func as(token string, r openbao.Request) openbao.Request {
	r.Header = http.Header{openbao.HeaderToken: {token}}
	return r
}

func grantToken(ctx context.Context, t *trial) error {
	token, err := t.token(ctx, reader)
	t.use, t.revoke = as(token, read(secretPath)), t.asks(post(space+"/auth/token/revoke", m{"token": token}))
	return err
}

func grantPolicy(ctx context.Context, t *trial) error {
	path := space + "/sys/policies/acl/" + t.name
	token, err := t.token(ctx, t.name)
	if err == nil {
		err = t.call(ctx, post(path, m{"policy": readPolicy}))
	}
	t.use, t.revoke = as(token, read(secretPath)), t.asks(remove(path))
	return err
}

func grantRole(ctx context.Context, t *trial) error {
	path := space + "/auth/" + jobs + "/role/" + t.name
	t.use, t.revoke = inline(jobs, t.name, t.jwt), t.asks(remove(path))
	return t.call(ctx, post(path, t.roleBody()))
}

// inline is a fetch that logs in with the request, as GitLab Runner's.
func inline(mount, role, jwt string) openbao.Request {
	r := read(secretPath)
	r.Auth = &openbao.InlineAuth{Path: space + "/auth/" + mount + "/login", Role: role, JWT: jwt}
	return r
}

func grantMount(ctx context.Context, t *trial) error {
	t.use, t.revoke = t.root(read(space+"/"+t.name+"/data/k")), t.asks(remove(space+"/sys/mounts/"+t.name))
	return t.fill(ctx, space, t.name)
}

func grantNamespace(ctx context.Context, t *trial) error {
	inner := space + "/" + t.name
	t.use, t.revoke = t.root(read(inner+"/"+mount+"/data/k")), t.asks(remove(space+"/sys/namespaces/"+t.name))
	if err := t.call(ctx, post(space+"/sys/namespaces/"+t.name, m{})); err != nil {
		return err
	}
	return t.fill(ctx, inner, mount)
}

// login makes a mount for logins with a role, and a use of it with a JWT.
func (t *trial) login(ctx context.Context, config m, jwt string) error {
	t.use = inline(t.name, "r", jwt)
	for _, r := range []openbao.Request{
		post(space+"/sys/auth/"+t.name, m{"type": "jwt"}),
		post(space+"/auth/"+t.name+"/config", config),
		post(space+"/auth/"+t.name+"/role/r", t.roleBody()),
	} {
		if err := t.call(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func grantKey(ctx context.Context, t *trial) error {
	config := func(issuer *gitlab.Issuer) (m, error) {
		key, err := issuer.PublicPEM()
		return m{"jwt_validation_pubkeys": []string{string(key)}, "bound_issuer": issuer.URL()}, err
	}
	old, jwt, err := t.newKey()
	if err != nil {
		return err
	}
	next, _, err := t.newKey()
	if err != nil {
		return err
	}
	before, err := config(old)
	if err != nil {
		return err
	}
	after, err := config(next)
	if err != nil {
		return err
	}
	t.revoke = t.asks(post(space+"/auth/"+t.name+"/config", after))
	return t.login(ctx, before, jwt)
}

func grantPublished(ctx context.Context, t *trial) error {
	old, jwt, err := t.newKey()
	if err != nil {
		return err
	}
	t.revoke = func(context.Context) error { return t.server.Publish(t.rails) }
	if err := t.server.Publish(t.rails, old); err != nil {
		return err
	}
	return t.login(ctx, m{"oidc_discovery_url": t.server.Issuer, "bound_issuer": t.server.Issuer}, jwt)
}

func grantNextPublished(ctx context.Context, t *trial) error {
	if err := grantPublished(ctx, t); err != nil {
		return err
	}
	next, jwt, err := t.newKey()
	t.revoke = func(ctx context.Context) error {
		if err := t.server.Publish(t.rails, next); err != nil {
			return err
		}
		return t.call(ctx, inline(t.name, "r", jwt))
	}
	return err
}
