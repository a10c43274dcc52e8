package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/wait"
)

// provisionTime bounds one call before the faults begin.
const provisionTime = 30 * time.Second

// provision logs in as Rails does, and makes a namespace with a KV v2 for each tenant, and tokens
// of policies that are not there yet.
func (p *pool) provision(ctx context.Context, client *openbao.Client) error {
	type m = map[string]any
	jwt, err := p.keys.rails.Privileged(p.keys.audience)
	if err != nil {
		return err
	}
	if p.token, err = tokenOf(p.call(ctx, client, "auth/gitlab_rails_jwt/login",
		m{"role": "app", "jwt": jwt})); err != nil {
		return err
	}
	for t := range p.tenants {
		tenant := fmt.Sprintf("t%d", t)
		for _, call := range []struct {
			path string
			body m
		}{
			{"sys/namespaces/" + tenant, m{}},
			{tenant + "/sys/mounts/" + mount, m{"type": "kv", "options": m{"version": "2"}}},
			{tenant + "/sys/" + jobs, m{"type": "jwt"}},
			{tenant + "/" + jobs + "/config", m{"oidc_discovery_url": p.keys.url, "bound_issuer": p.keys.url}},
			{tenant + "/sys/policies/acl/" + jobPolicy, m{"policy": readPolicy}},
		} {
			if _, err := p.call(ctx, client, call.path, call.body); err != nil {
				return err
			}
		}
		if err := p.upgraded(ctx, client, tenant); err != nil {
			return err
		}
		for _, name := range policyNames(t) {
			token, err := tokenOf(p.call(ctx, client, tenant+"/auth/token/create-orphan", m{
				"policies": []string{name}, "no_default_policy": true, "ttl": "24h",
			}))
			if err != nil {
				return err
			}
			p.readers[tenant+"/policy:"+name] = token
		}
	}
	return nil
}

// operatorPolicy is what Rails' token may not do.
const operatorPolicy = `path "sys/seal" { capabilities = ["update", "sudo"] }
path "sys/step-down" { capabilities = ["update", "sudo"] }`

// operator makes a token that may seal a node and have it step down. A chart denies Rails that.
func (p *pool) operator(ctx context.Context, client *openbao.Client) (string, error) {
	type m = map[string]any
	const name = "steamer-operator"
	if _, err := p.call(ctx, client, "sys/policies/acl/"+name, m{"policy": operatorPolicy}); err != nil {
		return "", err
	}
	return tokenOf(p.call(ctx, client, "auth/token/create-orphan", m{
		"policies": []string{name}, "no_default_policy": true, "ttl": "24h",
	}))
}

// policyNames are the policies of a tenant.
func policyNames(tenant int) []string {
	var names []string
	for n := range policies {
		names = append(names, fmt.Sprintf("p%d", n))
	}
	for i := 0; tenant == 0 && i < lateClients; i++ {
		names = append(names, latePolicy(i))
	}
	return names
}

// upgraded waits until a new KV v2 takes requests: it refuses them for a moment.
func (p *pool) upgraded(ctx context.Context, client *openbao.Client, tenant string) error {
	_, err := wait.Until(ctx, wait.For{What: "the KV v2 of " + tenant + " takes requests", Deadline: provisionTime},
		func(ctx context.Context) error {
			r, err := client.Do(ctx, openbao.Request{
				Method: http.MethodGet, Path: tenant + "/" + mount + "/config", Header: http.Header{openbao.HeaderToken: {p.token}},
			})
			if err == nil && !r.OK() {
				err = fmt.Errorf("status %d: %s", r.Status, r.Message())
			}
			return err
		})
	return err
}

func (p *pool) call(ctx context.Context, client *openbao.Client, path string, body any) (*openbao.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, provisionTime)
	defer cancel()
	r, err := client.Do(ctx, openbao.Request{
		Method: http.MethodPost, Path: path, Body: body, Header: http.Header{openbao.HeaderToken: {p.token}},
	})
	if err == nil && !r.OK() {
		err = fmt.Errorf("%s: status %d: %s", path, r.Status, r.Message())
	}
	return r, err
}

// tokenOf is the token in the answer to a login.
func tokenOf(r *openbao.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	var auth struct {
		Token string `json:"client_token"`
	}
	if json.Unmarshal(r.Auth, &auth) != nil || auth.Token == "" {
		return "", errors.New("the answer to a login has no token")
	}
	secret.Learn(auth.Token)
	return auth.Token, nil
}
