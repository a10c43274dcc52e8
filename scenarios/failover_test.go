package scenarios_test

import (
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	ktesting "k8s.io/client-go/testing"

	"gitlab.com/steamer/steamer/harness/openbao"
)

func TestFailover(t *testing.T) {
	deleted := func(w *world, then func()) {
		w.kube.PrependReactor("delete", "pods", func(ktesting.Action) (bool, runtime.Object, error) {
			then()
			return false, nil, nil
		})
	}
	t.Run("standby takes over", func(t *testing.T) {
		w := newWorld(t, 30000)
		deleted(w, func() { w.put(t, pod("b", true), pod("c", false), endpoints("b")) })
		r := run(t, w.Env, "resilience/failover-active-deleted")
		judge(t, r, "")
		require.Contains(t, r.Measured, "unavailable_seconds")
		require.Positive(t, r.Measured["fetches"])
	})
	t.Run("kept connections hang", func(t *testing.T) {
		w := newWorld(t, 30000)
		through, freeze := freezing(t, w.Address)
		w.Client, w.Timeouts.Try = openbao.New(through, nil), 100*time.Millisecond
		t.Cleanup(w.Client.Close)
		judge(t, run(t, w.Env, "access/own-secret"), "") // leaves a connection
		deleted(w, func() { freeze(); w.put(t, pod("b", true), pod("c", false), endpoints("b")) })
		judge(t, run(t, w.Env, "resilience/failover-active-deleted"), "")
	})
	t.Run("no pod takes over", func(t *testing.T) {
		w := newWorld(t, 30000)
		judge(t, run(t, w.Env, "resilience/failover-active-deleted"), "no other pod is active and ready")
	})
	t.Run("no second pod comes back", func(t *testing.T) {
		w := newWorld(t, 30000)
		deleted(w, func() { w.put(t, pod("b", true), endpoints("b")) })
		judge(t, run(t, w.Env, "resilience/failover-active-deleted"), "1 pods, want 2")
	})
}

// freezing forwards connections to a server. freeze keeps those that there are open and silent,
// as one to a stopped process is.
func freezing(t *testing.T, server string) (address string, freeze func()) {
	t.Helper()
	to, err := url.Parse(server)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	frozen := make(chan struct{})
	t.Cleanup(func() { _ = listener.Close() })
	forward := func(from, to net.Conn, until <-chan struct{}) {
		buffer := make([]byte, 4096)
		for {
			n, err := from.Read(buffer)
			select {
			case <-until:
				return
			default:
			}
			if err != nil {
				_ = to.Close()
				return
			}
			_, _ = to.Write(buffer[:n])
		}
	}
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to.Host)
			if err != nil {
				_ = in.Close()
				continue
			}
			mu.Lock()
			until := frozen
			mu.Unlock()
			go forward(in, out, until)
			go forward(out, in, until)
		}
	}()
	return "http://" + listener.Addr().String(), func() {
		mu.Lock()
		defer mu.Unlock()
		close(frozen)
		frozen = make(chan struct{})
	}
}
