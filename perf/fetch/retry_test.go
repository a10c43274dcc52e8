package fetch

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answering serves the statuses one after the other, the last for ever; 0 closes the
// connection.
func answering(t *testing.T, statuses ...int) (string, *atomic.Int64) {
	t.Helper()
	requests := &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := int(requests.Add(1))
		status := statuses[min(n, len(statuses))-1]
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(goodAnswer))
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

// TestRetry checks Runner's policy: what is repeated, how often and after how long, and that the
// failed attempts are reported also when the fetch succeeds.
func TestRetry(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		statuses      []int
		timeout       time.Duration
		outcome       Outcome
		class         Class
		requests      int64
		failures      []Failure
		atLeast, most time.Duration
	}{
		"at once": {statuses: []int{200}, requests: 1, most: time.Second},
		"503 once": {
			statuses: []int{503, 200}, requests: 2, failures: []Failure{{Status: 503, Class: classStatus}},
			atLeast: time.Second, most: 2500 * time.Millisecond,
		},
		"broken off once": {
			statuses: []int{0, 200}, requests: 2, failures: []Failure{{Class: classReset}},
			atLeast: time.Second, most: 2500 * time.Millisecond,
		},
		"429 with Retry-After": {
			statuses: []int{429, 200}, requests: 2, failures: []Failure{{Status: 429, Class: classStatus}},
			atLeast: time.Second, most: 1400 * time.Millisecond,
		},
		"always 500": {
			statuses: []int{500}, outcome: Failed, class: classStatus, requests: 3, atLeast: 3 * time.Second,
			most: 6 * time.Second,
			failures: []Failure{
				{Status: 500, Class: classStatus},
				{Status: 500, Class: classStatus},
				{Status: 500, Class: classStatus},
			},
		},
		"412 once": {
			statuses: []int{412, 200}, requests: 2, failures: []Failure{{Status: 412, Class: classStatus}},
			atLeast: time.Second, most: 2500 * time.Millisecond,
		},
		"501 is final": {
			statuses: []int{501}, outcome: Failed, class: classStatus, requests: 1, most: time.Second,
			failures: []Failure{{Status: 501, Class: classStatus}},
		},
		"403 is final": {
			statuses: []int{403}, outcome: Failed, class: classStatus, requests: 1, most: time.Second,
			failures: []Failure{{Status: 403, Class: classStatus}},
		},
		"the timeout is that of all attempts": {
			statuses: []int{503}, timeout: 500 * time.Millisecond, outcome: Failed, class: classTimeout, requests: 1,
			failures: []Failure{{Status: 503, Class: classStatus}}, atLeast: 500 * time.Millisecond,
			most: 990 * time.Millisecond,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, requests := answering(t, tc.statuses...)
			c := clientFor(t, url)
			c.Retry = true
			if tc.timeout > 0 {
				c.Timeout = tc.timeout
			}
			r := one(t.Context(), c)
			require.Equal(t, [2]any{tc.outcome, tc.class}, [2]any{r.Outcome, r.Class})
			require.Equal(t, tc.requests, requests.Load())
			require.EqualValues(t, tc.requests, r.Attempts)
			require.EqualValues(t, tc.requests-1, r.Retries)
			require.Equal(t, tc.failures, r.Failures)
			require.GreaterOrEqual(t, r.Duration, tc.atLeast)
			require.Less(t, r.Duration, tc.most)
		})
	}
}

func TestNoRetry(t *testing.T) {
	t.Parallel()
	url, requests := answering(t, 503, 200)
	r := one(t.Context(), clientFor(t, url))
	require.Equal(t, Failed, r.Outcome)
	require.Equal(t, []Failure{{Status: 503, Class: classStatus}}, r.Failures)
	require.EqualValues(t, 1, requests.Load())
}

// TestRetryEnds checks that the end of the run cuts a wait short.
func TestRetryEnds(t *testing.T) {
	t.Parallel()
	url, _ := answering(t, 503)
	c := clientFor(t, url)
	c.Retry = true
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r := one(ctx, c)
	require.Equal(t, Interrupted, r.Outcome)
	require.Equal(t, stepBackOff, r.CutOff)
	require.Less(t, r.Duration, 900*time.Millisecond)
}
