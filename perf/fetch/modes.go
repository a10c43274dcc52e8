package fetch

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// inline is Runner's single GET.
func (c *Client) inline(ctx context.Context, choice Choice, res *Result) {
	if resp, ok := c.call(ctx, res, "", c.Plan.inline(choice), c.Retry, http.StatusOK); ok {
		c.judge(c.Plan.digest(choice), resp, res)
	}
}

// loginRead is login, read and, with revoke, the token's revocation, which also follows a failed
// read. Without revocation the token and its lease expire by themselves.
func (c *Client) loginRead(ctx context.Context, choice Choice, res *Result, revoke bool) {
	// Repeating a login leaves an unused token behind, which is what happens to Runner.
	resp, ok := c.timed(ctx, res, stepLogin, c.Plan.login(choice), c.Retry, http.StatusOK)
	if !ok {
		return
	}
	token := gjson.GetBytes(resp.body, "auth.client_token").Str
	if !headerSafe(token) {
		res.Failures = append(res.Failures, Failure{resp.status, classMalformed})
		res.fail(stepLogin, resp.status, classMalformed)
		return
	}
	if resp, ok = c.timed(ctx, res, stepRead, c.Plan.read(choice, token), c.Retry, http.StatusOK); ok {
		c.judge(c.Plan.digest(choice), resp, res)
	}
	if !revoke || res.Outcome == Interrupted {
		return
	}
	read := *res
	_, ok = c.timed(ctx, res, stepRevoke, c.Plan.revoke(choice, token), c.Retry, http.StatusNoContent, http.StatusOK)
	switch {
	case read.Outcome != OK: // the first failure is the one to report
		res.Outcome, res.Class, res.Status, res.FailedStep = read.Outcome, read.Class, read.Status, read.FailedStep
	case ok:
		res.Status = read.Status
	}
}

// timed is call, recorded as a step.
func (c *Client) timed(ctx context.Context, res *Result, step Step, q *request, retry bool, want ...int) (answer,
	bool,
) {
	start := time.Now()
	resp, ok := c.call(ctx, res, step, q, retry, want...)
	if res.Outcome != Interrupted {
		res.step(step, time.Since(start))
	}
	return resp, ok
}

// judge compares the answer with what is expected. KV v2 puts the secret at data.data, and GitLab
// stores a secret's value in its field "value".
func (c *Client) judge(want *fixture.Digest, resp answer, res *Result) {
	value := gjson.GetBytes(resp.body, "data.data.value")
	switch {
	case value.Type != gjson.String:
		res.Failures = append(res.Failures, Failure{resp.status, classMalformed})
		res.Outcome, res.Class = Failed, classMalformed
	case sha256.Sum256([]byte(value.Str)) != *want:
		res.Outcome, res.Class = Wrong, classValue
	}
}

// headerSafe reports whether a token is a valid value of a header field.
func headerSafe(token string) bool {
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return token != ""
}
