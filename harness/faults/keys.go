package faults

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// trust is the issuer whose tokens OpenBao trusts.
type trust struct {
	url, audience string
	rails         *gitlab.Issuer                                 // signs what Rails presents
	publishes     func(context.Context, ...*gitlab.Issuer) error // the keys of these, and no others
	trouble       func(localbao.Trouble) int                     // of the issuer, see localbao; nil on a cluster
}

// keyring are the keys that sign what jobs present. The issuer publishes one of them at a time,
// beside Rails' own.
type keyring struct {
	trust

	mu   sync.Mutex
	jwts []string // one of each key, by its number
}

// jwtLife is how long the JWTs live: longer than any run.
const jwtLife = 30 * 24 * time.Hour

// prepare makes another key. It is published by publish.
func (k *keyring) prepare() (*gitlab.Issuer, string, error) {
	issuer, err := gitlab.NewIssuer(k.url, gitlab.ES256)
	if err != nil {
		return nil, "", err
	}
	now := time.Now()
	jwt, err := issuer.Sign(map[string]any{
		"iss": k.url, "aud": k.audience, "sub": jobSubject,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(jwtLife).Unix(),
	}, nil)
	return issuer, jwt, err
}

// publish has the issuer publish a key instead of the one before.
func (k *keyring) publish(ctx context.Context, issuer *gitlab.Issuer, jwt string) error {
	if err := k.publishes(ctx, k.rails, issuer); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.jwts = append(k.jwts, jwt)
	return nil
}

// jwt is one of the key of a number, and last the number of the key that is published.
func (k *keyring) jwt(number int) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.jwts[number]
}

func (k *keyring) last() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.jwts) - 1
}

// Times of a rotation. OpenBao 2.4.0 keeps the keys of an issuer in memory without an end, and
// fetches them only for a JWT of a key that it does not know (go-oidc, RemoteKeySet.verify). So
// the old key is revoked by the first login with the new one; what fetched before that may still
// end.
const (
	rotateEvery  = 8 * time.Second
	publishGrace = 100 * time.Millisecond // of a fetch that began before the publication
	revokeGrace  = time.Second            // until the fetch of the first login is what others see, too
)

// rotator rotates the signing key. Two clients record it, since the old key is revoked while the
// new one is granted.
type rotator struct {
	*keyring
	turn            sync.Mutex // of one rotation at a time
	grants, revokes *client
}

// begin publishes the first key, and makes the role that nothing changes.
func (r *rotator) begin(ctx context.Context) error {
	if err := r.rotate(ctx); err != nil {
		return err
	}
	for t := range r.grants.tenants {
		o := r.grants.op(history.Grant, fmt.Sprintf("t%d/role:%s", t, stableRole))
		if r.grants.do(ctx, o); o.Result != history.OK {
			return fmt.Errorf("%s was not made: %s", o.Key, o.Result)
		}
	}
	return nil
}

// run rotates until ctx ends.
func (r *rotator) run(ctx context.Context) error {
	defer r.grants.http.CloseIdleConnections()
	for wait.Pause(ctx, rotateEvery) == nil {
		if err := r.rotate(ctx); err != nil {
			return fmt.Errorf("rotating the key: %w", err)
		}
	}
	return nil
}

// rotate publishes a new key instead of the last one, and logs in with it in each tenant.
func (r *rotator) rotate(ctx context.Context) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	issuer, jwt, err := r.prepare()
	if err != nil {
		return err
	}
	return r.show(ctx, r.last()+1, func() error { return r.publish(ctx, issuer, jwt) })
}

// hiddenLogin bounds a login with a key that OpenBao cannot fetch.
const hiddenLogin = time.Second / 2

// rotateIn publishes a new key while the issuer is in trouble: until that is over, no login with
// it can be granted, and those with the last one go on. It returns how many requests met the
// trouble.
func (r *rotator) rotateIn(ctx context.Context, trouble localbao.Trouble, length time.Duration) (met int, err error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	number := r.last() + 1
	for t := range r.grants.tenants { // OpenBao has the last key in memory
		if err := r.logIn(ctx, fmt.Sprintf("t%d", t), number-1); err != nil {
			return 0, err
		}
	}
	issuer, jwt, err := r.prepare()
	if err != nil {
		return 0, err
	}
	before := r.trouble(trouble)
	defer r.trouble(localbao.Well)
	if err := r.publish(ctx, issuer, jwt); err != nil {
		return 0, err
	}
	r.grants.limit = hiddenLogin
	for t := range r.grants.tenants {
		r.grants.do(ctx, r.use(fmt.Sprintf("t%d", t), number))
	}
	r.grants.limit = answerTime
	if err := wait.Pause(ctx, length); err != nil {
		return 0, err
	}
	err = r.show(ctx, number, func() error {
		met = r.trouble(localbao.Well) - before
		return nil
	})
	return met, err
}

// show records that a new key can be seen from now on instead of the last one, once show has made
// it so, and logs in with it in each tenant.
func (r *rotator) show(ctx context.Context, number int, show func() error) error {
	grant := r.grants.op(history.Grant, r.keys(number))
	revoke := r.revokes.op(history.Revoke, r.keys(number-1))
	revoke.Grace = revokeGrace.Microseconds()
	record := r.grants.record
	if number > 0 {
		record.Call(revoke)
	}
	record.Call(grant)
	if err := show(); err != nil {
		return err
	}
	_ = wait.Pause(ctx, publishGrace)
	grant.Result = history.OK
	record.Return(grant)
	if number == 0 {
		return nil
	}
	revoke.Result = history.OK
	for t := range r.grants.tenants {
		if r.logIn(ctx, fmt.Sprintf("t%d", t), number) != nil {
			revoke.Result = history.Unknown
		}
	}
	record.Return(revoke)
	return nil
}

// keys is the key of a number in each tenant: OpenBao knows keys by mount.
func (r *rotator) keys(number int) string {
	var names []string
	for t := range r.grants.tenants {
		names = append(names, fmt.Sprintf("t%d/key:%d", t, number))
	}
	return strings.Join(names, ",")
}

// use is a login with a key. The role is one that nothing else changes.
func (r *rotator) use(tenant string, number int) *history.Op {
	return r.grants.op(history.Use, fmt.Sprintf("%s/role:%s,%s/key:%d", tenant, stableRole, tenant, number))
}

// logIn logs in with a key until that is granted.
func (r *rotator) logIn(ctx context.Context, tenant string, number int) error {
	_, err := wait.Until(ctx, wait.For{What: "a login with the new key is granted", Deadline: recoverTime},
		func(ctx context.Context) error {
			o := r.use(tenant, number)
			if r.grants.do(ctx, o); o.Result != history.OK {
				return fmt.Errorf("it is %s", o.Result)
			}
			return nil
		})
	return err
}
