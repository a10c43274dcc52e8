package fetch

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"gitlab.com/steamer/steamer/perf/fixture"
	"gitlab.com/steamer/steamer/perf/wire"
)

// inline is Runner's single GET.
func (c *Client) inline(ctx context.Context, choice Choice, res *Result) {
	c.request = c.Plan.appendInline(c.request[:0], choice)
	if resp, ok := c.call(ctx, res, "", c.Retry, true, http.StatusOK); ok {
		c.judge(c.Plan.digest(choice), resp, res)
	}
}

// loginRead is login, read and, if asked for, the token's revocation, which is made also after a
// failed read. A token without revocation is left to expire, and the lease with it.
func (c *Client) loginRead(ctx context.Context, choice Choice, res *Result, revoke bool) {
	c.request = c.Plan.appendLogin(c.request[:0], choice)
	// Repeating a login leaves an unused token behind, which is what happens to Runner.
	resp, ok := c.timed(ctx, res, StepLogin, c.Retry, true, http.StatusOK)
	if !ok {
		return
	}
	token := gjson.GetBytes(resp.Body, "auth.client_token").Str
	if !headerSafe(token) {
		res.Failures = append(res.Failures, Failure{resp.Status, ClassMalformed})
		res.fail(StepLogin, resp.Status, ClassMalformed)
		return
	}
	c.request = c.Plan.appendRead(c.request[:0], choice, token)
	if resp, ok = c.timed(ctx, res, StepRead, c.Retry, true, http.StatusOK); ok {
		c.judge(c.Plan.digest(choice), resp, res)
	}
	if !revoke || res.Outcome == Interrupted {
		return
	}
	read := *res
	c.request = c.Plan.appendRevoke(c.request[:0], choice, token)
	_, ok = c.timed(ctx, res, StepRevoke, c.Retry, true, http.StatusNoContent, http.StatusOK)
	switch {
	case read.Outcome != OK: // the first failure is the one to tell
		res.Outcome, res.Class, res.Status, res.FailedStep = read.Outcome, read.Class, read.Status, read.FailedStep
	case ok:
		res.Status = read.Status
	}
}

// timed is call, recorded as a step.
func (c *Client) timed(ctx context.Context, res *Result, step Step, retry, repeatable bool, want ...int) (wire.Response,
	bool,
) {
	start := time.Now()
	resp, ok := c.call(ctx, res, step, retry, repeatable, want...)
	if res.Outcome != Interrupted {
		res.step(step, time.Since(start))
	}
	return resp, ok
}

// judge compares the answer with what is expected. KV v2 puts the secret at data.data, and GitLab
// stores a secret's value in its field "value".
func (c *Client) judge(want *fixture.Digest, resp wire.Response, res *Result) {
	value := gjson.GetBytes(resp.Body, "data.data.value")
	switch {
	case value.Type != gjson.String:
		res.Failures = append(res.Failures, Failure{resp.Status, ClassMalformed})
		res.Outcome, res.Class = Failed, ClassMalformed
	case sha256.Sum256([]byte(value.Str)) != *want:
		res.Outcome, res.Class = Wrong, ClassValue
	}
}

// headerSafe reports whether a token can stand in a header field.
func headerSafe(token string) bool {
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return token != ""
}
