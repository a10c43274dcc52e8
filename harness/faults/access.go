package faults

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// subjectParts are those of the first of some subjects TENANT/KIND:NAME.
func subjectParts(key string) (tenant, kind, name string) {
	first, _, _ := strings.Cut(key, ",")
	tenant, rest, _ := strings.Cut(first, "/")
	kind, name, _ = strings.Cut(rest, ":")
	return tenant, kind, name
}

// accessRequest is the call that grants, revokes or uses subjects of access. The first one
// decides.
func (c *client) accessRequest(o *history.Op) openbao.Request {
	type m = map[string]any
	tenant, kind, name := subjectParts(o.Key)
	r := openbao.Request{Header: http.Header{openbao.HeaderToken: {c.token}}}
	switch o.Kind {
	case history.Grant:
		r.Method = http.MethodPost
	case history.Revoke:
		r.Method = http.MethodDelete
	default:
		r.Method = http.MethodGet
	}
	grants := o.Kind == history.Grant
	switch kind {
	case "policy":
		r.Path = tenant + "/sys/policies/acl/" + name
		if grants {
			r.Body = m{"policy": readPolicy}
		}
		if o.Kind == history.Use {
			r.Path, r.Header = readPath(tenant), http.Header{openbao.HeaderToken: {c.readers[o.Key]}}
		}
	case "namespace":
		r.Path = tenant + "/sys/namespaces/" + name
		if grants {
			r.Body = m{}
		}
		if o.Kind == history.Use && mountOf(o.Key) == "" {
			r.Path = tenant + "/" + name + "/sys/policies/acl/default"
		} else if o.Kind == history.Use {
			r.Path = readPath(tenant + "/" + name)
		}
	case "token":
		r = c.tokenRequest(o, tenant)
	case "role":
		r = c.roleRequest(o, tenant, name)
	case "mount":
		r.Path = tenant + "/" + name + "/sys/mounts/" + mount
		if grants {
			r.Body = m{"type": "kv", "options": m{"version": "2"}}
		}
	}
	return r
}

// tokenRequest makes, uses or revokes the client's own token of a policy that always is there.
func (c *client) tokenRequest(o *history.Op, tenant string) openbao.Request {
	type m = map[string]any
	r := openbao.Request{Method: http.MethodPost, Header: http.Header{openbao.HeaderToken: {c.token}}}
	switch o.Kind {
	case history.Grant:
		r.Path = tenant + "/auth/token/create-orphan"
		r.Body = m{"policies": []string{jobPolicy}, "no_default_policy": true, "ttl": "1h"}
	case history.Revoke:
		r.Path, r.Body = tenant+"/auth/token/revoke", m{"token": c.ownToken}
	default:
		r.Method, r.Path, r.Header = http.MethodGet, readPath(tenant), http.Header{openbao.HeaderToken: {c.ownToken}}
	}
	return r
}

// jobs is the mount by which jobs log in, jobPolicy what they may do, and stableRole a role that
// is not changed.
const (
	jobs       = "auth/jobs"
	jobPolicy  = "jobs"
	jobSubject = "job"
	stableRole = "stable"
)

// roleRequest writes, removes or uses a role. A use logs in with a JWT, and reads a secret at once
// where it is inline. Half of the revocations leave a role that fits no JWT.
func (c *client) roleRequest(o *history.Op, tenant, name string) openbao.Request {
	type m = map[string]any
	r := openbao.Request{
		Method: http.MethodPost, Path: tenant + "/" + jobs + "/role/" + name,
		Header: http.Header{openbao.HeaderToken: {c.token}},
	}
	body := m{
		"role_type": "jwt", "bound_audiences": c.keys.audience, "user_claim": "sub", "token_policies": jobPolicy,
		"token_ttl": "1m", "bound_claims": m{"sub": jobSubject}, // what a role does not name, it keeps
	}
	switch o.Kind {
	case history.Grant:
		r.Body = body
	case history.Revoke:
		if c.rng.IntN(2) == 0 {
			r.Method = http.MethodDelete
			break
		}
		body["bound_claims"] = m{"sub": "another"}
		r.Body = body
	default:
		_, key, _ := strings.Cut(o.Key, ",")
		_, _, number := subjectParts(key)
		n, _ := strconv.Atoi(number) // useRole wrote it
		login := tenant + "/" + jobs + "/login"
		if !o.Inline {
			return openbao.Request{Method: http.MethodPost, Path: login, Body: m{"role": name, "jwt": c.keys.jwt(n)}}
		}
		return openbao.Request{
			Method: http.MethodGet, Path: readPath(tenant),
			Auth: &openbao.InlineAuth{Path: login, Role: name, JWT: c.keys.jwt(n)},
		}
	}
	return r
}

// role is an operation on a role.
func (c *client) role(kind history.OpKind) *history.Op {
	return c.op(kind, fmt.Sprintf("%s/role:r%d", c.someTenant(), c.rng.IntN(policies)))
}

// useRole fetches as a job does, with a JWT of the last key or, at times, of one before.
func (c *client) useRole(inline bool) *history.Op {
	o := c.role(history.Use)
	tenant, _, _ := subjectParts(o.Key)
	o.Key += fmt.Sprintf(",%s/key:%d", tenant, max(0, c.keys.last()-c.rng.IntN(6)/4))
	o.Inline = inline
	return o
}

// readPath is a secret that shows whether access is granted.
func readPath(namespace string) string { return namespace + "/" + mount + "/data/k0" }
