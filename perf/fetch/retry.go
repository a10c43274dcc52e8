package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"time"
)

// GitLab Runner's client repeats a call up to twice, after 1.0 to 1.5 s and then 2.0 to 3.0 s,
// unless the server says how long to wait. Source: openbao api/v2, DefaultConfig and
// DefaultRetryPolicy (MaxRetries 2, RetryWaitMin 1 s, RetryWaitMax 1.5 s), and
// hashicorp/go-retryablehttp, RateLimitLinearJitterBackoff, at v0.7.8.
const (
	maxRetries   = 2
	retryWaitMin = time.Second
	retryWaitMax = 1500 * time.Millisecond
)

// call makes one call until an answer has one of the wanted statuses. With retry it repeats
// failures as Runner does. On false res has the reason, with step.
func (c *Client) call(ctx context.Context, res *Result, step Step, q *request, retry bool, want ...int) (answer, bool) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	deadline := time.Now().Add(timeout)
	for n := 1; ; n++ {
		resp, class, err := c.send(ctx, q, res, deadline)
		if err != nil && ctx.Err() != nil {
			res.interrupt(res.at)
			return resp, false
		}
		res.Attempts++
		if resp.http2 {
			res.HTTP2++
		}
		if err == nil && slices.Contains(want, resp.status) {
			res.Status = resp.status
			return resp, true
		}
		f := Failure{Class: class, Status: resp.status}
		if err == nil {
			f.Class = classStatus
		}
		res.Failures = append(res.Failures, f)
		if !retry || n > maxRetries || !worthRepeating(resp.status, f.Class, err) {
			res.fail(step, f.Status, f.Class)
			return resp, false
		}
		switch c.wait(ctx, c.backOff(n, resp), deadline) {
		case interrupted:
			res.interrupt(stepBackOff)
			return resp, false
		case late:
			res.fail(step, f.Status, classTimeout)
			return resp, false
		}
		res.Retries++
	}
}

// worthRepeating is DefaultRetryPolicy: connection errors, but not certificates that are not
// trusted nor a timeout, which is that of all attempts together; 412, 429, and 5xx but 501.
func worthRepeating(status int, class Class, err error) bool {
	var untrusted *tls.CertificateVerificationError
	switch {
	case err != nil:
		return class != classTimeout && !errors.As(err, &untrusted)
	case status == http.StatusPreconditionFailed, status == http.StatusTooManyRequests:
		return true
	}
	return status >= 500 && status != http.StatusNotImplemented
}

// backOff is how long to wait after the n-th attempt.
func (c *Client) backOff(n int, resp answer) time.Duration {
	if resp.retryAfter > 0 && (resp.status == http.StatusTooManyRequests || resp.status == http.StatusServiceUnavailable) {
		return resp.retryAfter
	}
	jitter := time.Duration(c.Rand.Float64() * float64(retryWaitMax-retryWaitMin))
	return time.Duration(n) * (retryWaitMin + jitter)
}

type waited uint8

const (
	rested waited = iota
	interrupted
	late // the deadline comes first
)

// wait waits for d, no longer than to the deadline.
func (c *Client) wait(ctx context.Context, d time.Duration, deadline time.Time) waited {
	after := rested
	if left := time.Until(deadline); d > left {
		d, after = left, late
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return after
	case <-ctx.Done():
		return interrupted
	}
}
