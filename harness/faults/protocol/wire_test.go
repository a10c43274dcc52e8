package protocol

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/openbao"
)

// counting is a server that counts what it has done.
func counting(t *testing.T) (address string, done *atomic.Int64) {
	t.Helper()
	done = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		done.Add(1)
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(s.Close)
	return s.URL, done
}

// through sends one request of a step over a wire.
func through(t *testing.T, w *wire, address string, step int) error {
	t.Helper()
	w.step = step
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader("{}"))
	require.NoError(t, err)
	a, err := w.RoundTrip(r)
	if err == nil {
		require.NoError(t, a.Body.Close())
	}
	return err
}

// TestWire: each fault happens to the first request of one step, and the server has done what it
// should have.
func TestWire(t *testing.T) {
	t.Parallel()
	for fault, tc := range map[string]struct {
		reaches int64
		receipt string
	}{
		requestLost: {0, "never sent"},
		answerLost:  {1, "answered 200, and the answer dropped"},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			address, done := counting(t)
			w := newWire(openbao.Trusting(false, nil).Transport, fault, 1)
			require.NoError(t, through(t, w, address, 0))
			require.Empty(t, w.receipt)
			require.ErrorIs(t, through(t, w, address, 1), errLost)
			require.Equal(t, 1+tc.reaches, done.Load())
			require.Equal(t, tc.receipt, w.receipt)
			require.NoError(t, through(t, w, address, 1), "only the first request of the step")
			require.NoError(t, through(t, w, address, 2))
		})
	}
}

// TestWireStalls: a request is held while others pass, and done afterwards.
func TestWireStalls(t *testing.T) {
	t.Parallel()
	address, done := counting(t)
	next := openbao.Trusting(false, nil).Transport
	w := newWire(next, stallEffect, 0)
	ended := make(chan error, 1)
	go func() { ended <- through(t, w, address, 0) }()
	<-w.stalled
	require.NoError(t, through(t, newWire(next, "", -1), address, 0))
	require.Equal(t, int64(1), done.Load(), "the held request did not reach the server")
	close(w.release)
	require.NoError(t, <-ended)
	require.Equal(t, int64(2), done.Load())
	require.NotEmpty(t, w.receipt)
}

// TestWireKills: the server ends while it has the request, or right after its answer.
func TestWireKills(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answers bool
		receipt string
	}{"before": {false, "killed before an answer"}, "after": {true, "answered 200, and killed then"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reached, answered, killed := make(chan struct{}), make(chan struct{}), make(chan struct{})
			s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(reached)
				if !tc.answers {
					<-killed
					panic(http.ErrAbortHandler)
				}
			}))
			t.Cleanup(s.Close)
			next := openbao.Trusting(false, nil).Transport
			w := newWire(roundTrip(func(r *http.Request) (*http.Response, error) {
				a, err := next.RoundTrip(r)
				close(answered)
				return a, err
			}), leaderKilled, 0)
			w.kill = func() {
				<-reached
				if tc.answers {
					<-answered
				}
				close(killed)
			}
			require.Equal(t, tc.answers, through(t, w, s.URL, 0) == nil)
			require.Equal(t, tc.receipt, w.receipt)
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWireWithoutReceipt: a server that loses a request itself leaves no receipt, since nothing is
// known of what it did.
func TestWireWithoutReceipt(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(s.Close)
	w := newWire(openbao.Trusting(false, nil).Transport, answerLost, 0)
	err := through(t, w, s.URL, 0)
	require.Error(t, err)
	require.False(t, errors.Is(err, errLost))
	require.Empty(t, w.receipt)
	require.True(t, w.fired)
}
