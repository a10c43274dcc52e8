package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	good := "42 (a) b (c)) S 7 1 1 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 9 0 100 1000 25 0"
	s, err := parseStat(good)
	require.NoError(t, err)
	require.Equal(t, stat{parent: 7, own: 2, reaped: 0.5, resident: 25 * int64(os.Getpagesize())}, s)
	for _, bad := range []string{
		"", "42 (a) S 7", "42 a S 7",
		"42 (a) S x 1 1 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 9 0 100 1000 25 0",
	} {
		_, err := parseStat(bad)
		require.Error(t, err, bad)
	}
}

// FuzzParseStat: what parses is finite and not negative.
func FuzzParseStat(f *testing.F) {
	f.Add("42 (a) S 7 1 1 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 9 0 100 1000 25 0")
	f.Add("1 () S -1")
	f.Fuzz(func(t *testing.T, line string) {
		if s, err := parseStat(line); err == nil {
			require.True(t, s.own >= 0 && s.reaped >= 0, "%q: %+v", line, s)
		}
	})
}

// TestUse reads this very process, which has to have used something.
func TestUse(t *testing.T) {
	t.Parallel()
	own, err := processUse(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, own.memory, 1.0)
	tree, err := treeUse(os.Getpid())
	require.NoError(t, err)
	require.GreaterOrEqual(t, tree.cpu, own.cpu)
	_, err = processUse(1 << 30)
	require.Error(t, err)
}

// TestProxy: an answer through the proxy takes the latency longer, once for each round trip.
func TestProxy(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					_, _ = fmt.Fprintln(conn, lines.Text())
				}
			}()
		}
	}()
	const latency = 20 * time.Millisecond
	p, err := startProxy(listener.Addr().String(), latency)
	require.NoError(t, err)
	defer p.stop()
	conn, err := net.Dial("tcp", p.address())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	answers := bufio.NewScanner(conn)
	for range 3 {
		began := time.Now()
		_, err := fmt.Fprintln(conn, "ping")
		require.NoError(t, err)
		require.True(t, answers.Scan())
		require.Equal(t, "ping", answers.Text())
		require.GreaterOrEqual(t, time.Since(began), latency)
	}
}

// TestLab runs a server with everything a spec can ask for, and reads what its processes and its
// pool use.
func TestLab(t *testing.T) {
	ctx := t.Context()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	patch, err := json.Marshal([]map[string]any{{
		"op": "replace", "path": "/storage/postgresql/max_parallel",
		"value": "4",
	}})
	require.NoError(t, err)
	spec := Spec{
		Name: "test", Patch: patch, Env: []string{"GOMAXPROCS=1"}, TLS: true, Proxy: true, Recipes: recipes[:1], Tenants: 2,
		Secrets: 1,
	}
	l, err := Open(ctx, Tools{}, spec)
	require.NoError(t, err)
	defer l.Close()
	require.Equal(t, 4, l.Pool)
	require.Regexp(t, `^https://`, l.Server.Address)
	require.NotEmpty(t, l.Version)
	require.Len(t, l.Tenants, 2)
	require.NoError(t, l.Check(ctx, l.Server.Address))

	stop := l.Watch(ctx)
	require.NoError(t, l.Grow(ctx, 3))
	resources, pool := stop()
	require.Equal(t, 3, len(l.Tenants))
	require.Len(t, l.Seeds, 2)
	require.Equal(t, 4, pool.Limit)
	require.Positive(t, pool.Looks)
	require.GreaterOrEqual(t, pool.Transactions, int64(0))
	components := map[string]bool{}
	for _, r := range resources {
		components[r.Component] = true
		require.NotEmpty(t, r.Samples, r.Name)
		require.Greater(t, r.Samples[len(r.Samples)-1].MemoryMiB, 1.0, r.Name)
	}
	require.Equal(t, map[string]bool{"openbao": true, "postgresql": true}, components)

	fixture, err := l.Fixture(l.Tenants[:1])
	require.NoError(t, err)
	require.Contains(t, string(fixture), l.Server.Address)

	_, err = l.Drive(ctx, "x", load.Profile{}, 1, fixture, nil)
	require.Equal(t, exit.Environment, exit.CodeOf(err), "there is no k6: %v", err)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	_, err := Open(context.Background(), Tools{OpenBao: "/nowhere/bao"}, Spec{Name: "x"})
	require.Equal(t, exit.Environment, exit.CodeOf(err))
}
