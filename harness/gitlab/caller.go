package gitlab

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gitlab.com/steamer/steamer/harness/openbao"
)

// caller makes the API calls for one tenant, with the JWT each of them needs.
type caller struct {
	seeder *Seeder
	tenant Tenant
	user   openbao.InlineAuth
	calls  *atomic.Int64
}

// run makes one call. Projects of one group make the same parent namespaces:
// OpenBao 2.4.0 knows a namespace before its routes exist, and whoever makes it a
// second time in that moment is told that it is there and then gets 404 inside
// it. So such a call is made by one tenant while the others wait for its answer.
func (c *caller) run(ctx context.Context, k call) error {
	if k.step.ForEach == "" {
		return c.make(ctx, k)
	}
	_, err, _ := c.seeder.namespaces.Do(k.path, func() (any, error) { return nil, c.make(ctx, k) })
	return err
}

// make makes one call. A refusal that the step tolerates is success.
func (c *caller) make(ctx context.Context, k call) error {
	body := k.body
	if k.grant != nil {
		policy, changed, err := c.merge(ctx, k)
		if err != nil || !changed {
			return err
		}
		body = policy
	}
	r, err := c.send(ctx, k.step.Method, k.path, body, k.asUser)
	if err != nil {
		return fmt.Errorf("%s: %w", k.step.Name, err)
	}
	if r.OK() || r.Status == http.StatusBadRequest && slices.ContainsFunc(k.step.Tolerate, func(text string) bool {
		return strings.Contains(r.Message(), text)
	}) {
		return nil
	}
	return refusal(k.step.Name, k.step.Method, k.path, r)
}

// merge reads the policy and adds the step's rules, as Rails does. It reports
// false when the policy already grants them.
func (c *caller) merge(ctx context.Context, k call) (body any, changed bool, err error) {
	r, err := c.send(ctx, http.MethodGet, k.path, nil, k.asUser)
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", k.step.Name, err)
	}
	doc, err := policyOf(k.step.Name, k.path, r)
	if err != nil {
		return nil, false, err
	}
	for _, path := range slices.Sorted(maps.Keys(k.grant)) {
		want, _ := json.Marshal(k.grant[path]) // strings always encode
		have, _ := json.Marshal(doc.Path[path]["capabilities"])
		changed = changed || string(want) != string(have)
	}
	return policyBody(doc, k.grant), changed, nil
}

// policyOf reads the policy in the answer to a GET request. None is an empty one.
func policyOf(what, path string, r *openbao.Response) (*aclPolicy, error) {
	doc := &aclPolicy{Path: map[string]map[string]any{}}
	if r.Status == http.StatusNotFound {
		return doc, nil
	}
	if !r.OK() {
		return nil, refusal(what, http.MethodGet, path, r)
	}
	var data struct{ Policy string }
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return nil, fmt.Errorf("%s: GET %s: no policy in the answer", what, path)
	}
	if err := json.Unmarshal([]byte(data.Policy), doc); err != nil || doc.Path == nil {
		return nil, fmt.Errorf("%s: GET %s: the policy is not in Rails' JSON form", what, path)
	}
	return doc, nil
}

// upgrading reports the refusal of a new KV v2 mount that is not set up yet: OpenBao answers 400
// for the moment that takes, which a busy server stretches. Source: openbao/openbao,
// builtin/logical/kv/upgrade.go at v2.4.0.
func upgrading(r *openbao.Response) bool {
	return r.Status == http.StatusBadRequest && strings.Contains(r.Message(),
		"Upgrading from non-versioned to versioned data")
}

// send makes one request and repeats it on connection errors and 5xx answers until the seeder's
// RetryFor has passed. Its error is then the last one that the deadline itself did not cause.
func (c *caller) send(ctx context.Context, method, path string, body any, asUser bool) (*openbao.Response, error) {
	retryFor := c.seeder.RetryFor
	if retryFor == 0 {
		retryFor = defaultRetryFor
	}
	ctx, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	wait := 100 * time.Millisecond
	var last error
	for {
		auth, err := c.auth(asUser)
		if err != nil {
			return nil, err
		}
		c.calls.Add(1)
		r, err := c.seeder.Client.Do(ctx, openbao.Request{Method: method, Path: path, Body: body, Auth: auth})
		if err == nil && r.Status < http.StatusInternalServerError && !upgrading(r) {
			return r, nil
		}
		if err == nil {
			err = refusal("OpenBao is unavailable", method, path, r)
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("gave up: %w", last)
		case <-timer.C:
		}
		wait = min(2*wait, 2*time.Second)
	}
}

// auth signs a fresh JWT for one call, as Rails does.
func (c *caller) auth(asUser bool) (*openbao.InlineAuth, error) {
	if !asUser {
		return c.seeder.Issuer.RailsAuth(c.seeder.Audience)
	}
	auth := c.user
	var err error
	auth.JWT, err = c.seeder.Issuer.User(c.seeder.Audience, c.tenant)
	return &auth, err
}

func refusal(what, method, path string, r *openbao.Response) error {
	step := "the request"
	if r.InlineAuthFailed {
		step = "the login"
	}
	return fmt.Errorf("%s: %s %s: %s was refused with status %d: %s", what, method, path, step, r.Status, r.Message())
}
