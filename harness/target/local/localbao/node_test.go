package localbao_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// TestNodes runs two nodes over TLS on one database, reached by another name, and hands leadership
// over.
func TestNodes(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var started atomic.Int64
	asked := ""
	s, err := localbao.Start(ctx, localbao.Options{
		TLS: true, Env: []string{"GOMAXPROCS=1"},
		Through: func(postgres string) (string, error) { asked = postgres; return postgres, nil },
		Started: func(pid int) error { started.Add(1); return nil },
	})
	require.NoError(t, err)
	defer s.Stop()
	require.NotEmpty(t, asked)
	require.Regexp(t, "^https://", s.Address)
	first := s.Nodes()[0]
	second, err := s.Join(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(2), started.Load())

	health := func(n *localbao.Node) openbao.Health {
		client := openbao.New(n.Address, s.HTTPClient())
		defer client.Close()
		h, err := client.Health(ctx)
		require.NoError(t, err)
		return h
	}
	require.True(t, health(first).Active())
	require.Equal(t, http.StatusTooManyRequests, health(second).Status)

	first.Stop()
	_, err = wait.Until(ctx, wait.For{What: "the second node leads", Deadline: time.Minute}, func(context.Context) error {
		if !health(second).Active() {
			return context.DeadlineExceeded
		}
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, first.Start(ctx))
	require.Equal(t, http.StatusTooManyRequests, health(first).Status)
	second.Kill()
	second.Kill() // a second time does no harm
}
