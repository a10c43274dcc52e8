package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	kinderrors "sigs.k8s.io/kind/pkg/errors"
	kindexec "sigs.k8s.io/kind/pkg/exec"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestIdentity: an owner is a machine, a user, a checkout and a cache; symbolic links and names
// for people make no other.
func TestIdentity(t *testing.T) {
	t.Parallel()
	dir, err := realPath(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "link")))
	me, err := Me(dir, filepath.Join(dir, "link", "cache", "not", "yet"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "cache", "not", "yet"), me.Cache)
	again, err := Me(filepath.Join(dir, "link"), filepath.Join(dir, "cache", "not", "yet"))
	require.NoError(t, err)
	require.True(t, me.same(again))
	require.NotEmpty(t, me.Machine)
	require.NotEmpty(t, me.Host)
	require.NotEmpty(t, me.User)
	names := map[string]bool{me.DefaultName(): true}
	for name, change := range map[string]func(*Identity){
		"machine": func(i *Identity) { i.Machine += "x" }, "user": func(i *Identity) { i.UID++ },
		"checkout": func(i *Identity) { i.Checkout = "" }, "cache": func(i *Identity) { i.Cache += "x" },
	} {
		other := me
		change(&other)
		require.False(t, me.same(other), name)
		require.False(t, other.same(me), name)
		names[other.DefaultName()] = true
	}
	require.Len(t, names, 5)
	for name := range names {
		require.NoError(t, checkName(name+"-compare-99"))
	}
}

// TestFreePort: what is bound or taken is passed over.
func TestFreePort(t *testing.T) {
	t.Parallel()
	first, err := FreePort()
	require.NoError(t, err)
	require.GreaterOrEqual(t, first, DefaultHostPort)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first))
	if err == nil { // else another process was quicker
		defer listener.Close()
	}
	second, err := FreePort()
	require.NoError(t, err)
	require.Greater(t, second, first)
	third, err := FreePort(second)
	require.NoError(t, err)
	require.Greater(t, third, second)
	var all []int
	for port := range hostPorts {
		all = append(all, DefaultHostPort+port)
	}
	_, err = FreePort(all...)
	require.Equal(t, exit.Environment, exit.CodeOf(err))
}

// TestChoose: names and ports that are left open are ones that nothing on the engine has or
// claims, by whomever; those that are given stay.
func TestChoose(t *testing.T) {
	t.Parallel()
	k, e, _ := newFake(t, someone(t))
	base := k.me.DefaultName()
	o := markOf(k.me)
	port, err := FreePort()
	require.NoError(t, err)
	o.UID, o.HostPort, o.SecondPort = 1001, port, port+1
	e.node("a", o.source("/b"))
	choose := func(opts Options) Options {
		t.Helper()
		found, err := k.List(t.Context())
		require.NoError(t, err)
		chosen, err := k.choose(opts, found)
		require.NoError(t, err)
		return chosen
	}
	chosen := choose(Options{Second: true})
	require.Equal(t, base+"-compare", chosen.Name)
	require.NotContains(t, []int{port, port + 1, chosen.SecondPort}, chosen.HostPort)
	require.NotContains(t, []int{0, port, port + 1}, chosen.SecondPort)
	require.Equal(t, 0, choose(Options{}).SecondPort)
	e.node(base, "")                        // a kind cluster of the user's
	e.machine(base+"-2", "")                // a machine without a cluster
	e.node(base+"-3", "/b/"+markDir+"/!!!") // nobody knows whose
	require.Equal(t, base+"-4", choose(Options{}).Name)
	given := Options{Name: "mine", HostPort: 4711, Second: true, SecondPort: 4712}
	require.Equal(t, given, choose(given))
}

// TestUp: a cluster that cannot be made leaves nothing, whoever has the name now, and is begun
// again with another choice where one was left open.
func TestUp(t *testing.T) {
	t.Parallel()
	const (
		port = "docker: Error response from daemon: driver failed programming external connectivity: Bind for " +
			"127.0.0.1:18200 failed: port is already allocated."
		name = `docker: Error response from daemon: Conflict. The container name "/a-control-plane" is already in use by container "b".`
		node = `node(s) already exist for a cluster with the name "a"`
	)
	for title, tc := range map[string]struct {
		opts   Options
		says   string
		begins int
	}{
		"the name is taken":            {Options{}, name, upTries},
		"the node is there":            {Options{}, node, upTries},
		"the port is taken":            {Options{}, port, upTries},
		"the second port is taken":     {Options{HostPort: -1, Second: true}, port, upTries},
		"another reason":               {Options{}, "no space left on device", 1},
		"a name that was given":        {Options{Name: "a"}, name, 1},
		"a port that was given":        {Options{HostPort: -1}, port, 1},
		"two ports that were given":    {Options{HostPort: -1, Second: true, SecondPort: -1}, port, 1},
		"a name, and the port is free": {Options{Name: "a"}, port, upTries},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			k, e, f := newFake(t, someone(t))
			opts := tc.opts
			opts.Config, opts.TTL = kindFile(t, mapped), 1
			for _, p := range []*int{&opts.HostPort, &opts.SecondPort} {
				if *p == -1 {
					listener, err := net.Listen("tcp", "127.0.0.1:0")
					require.NoError(t, err)
					*p = listener.Addr().(*net.TCPAddr).Port
					require.NoError(t, listener.Close())
				}
			}
			var others []string
			ports := map[int]bool{}
			f.create = func(name string) error { // one node is made, then another's gets in the way
				marks, err := k.registry.marks(k.me)
				require.NoError(t, err)
				require.Len(t, marks, 1)
				e.node(name, marks[0].source(k.registry.dir))
				e.machine(name, marks[0].text())
				ports[marks[0].HostPort] = true
				theirs := marks[0]
				theirs.UID, theirs.HostPort, theirs.SecondPort = 1001, 1, 0 // only the engine says that the port is taken
				others = append(others, e.node(name, theirs.source("/b")))
				// As kind says it: what the engine said is no part of the error's text.
				run := &kindexec.RunError{
					Command: []string{"docker", "run", "--name", "a"}, Output: []byte(tc.says),
					Inner: errors.New("exit status 125"),
				}
				return kinderrors.NewAggregate([]error{kinderrors.Wrap(run, "failed"), errors.New("the other node: too")})
			}
			_, err := k.Up(t.Context(), opts)
			require.ErrorContains(t, err, "docker run: exit status 125: ")
			require.ErrorContains(t, err, tc.says)
			require.Len(t, f.names, tc.begins)
			require.Len(t, e.containers, len(others), "what is left is the others'")
			require.Len(t, e.removed, 2*tc.begins)
			marked, err := Marked(k.me)
			require.NoError(t, err)
			require.False(t, marked)
			if opts.HostPort == 0 {
				require.Len(t, ports, tc.begins, "each time another port: %v", ports)
			}
			if opts.Name == "" {
				unique := map[string]bool{}
				for _, name := range f.names {
					unique[name] = true
				}
				require.Len(t, unique, tc.begins, "each time another name: %v", f.names)
			}
		})
	}
}

// TestSameNameTwice: of two processes of one owner that make a cluster of one name, the one that
// fails removes nothing of the other's.
func TestSameNameTwice(t *testing.T) {
	t.Parallel()
	k, e, f := newFake(t, someone(t))
	first := markOf(k.me)
	first.PID = alivePID
	var id string
	f.create = func(name string) error {
		id = e.node(name, first.source(k.registry.dir))
		return errors.New(`node(s) already exist for a cluster with the name "a"`)
	}
	_, err := k.Up(t.Context(), Options{Name: "a", Config: kindFile(t, mapped), TTL: 1})
	require.ErrorContains(t, err, "already exist")
	require.Len(t, e.containers, 1)
	require.Equal(t, id, e.containers[0].ID)
}

// TestCheck: a name that is taken is refused, whoever has it, and the hint harms nobody.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		source func(k *Kind) string
		says   []string
	}{
		"mine": {
			func(k *Kind) string { return markOf(k.me).source("/b") },
			[]string{"run r1", "--reuse", "cluster down --name a"},
		},
		"mine in use": {func(k *Kind) string {
			o := markOf(k.me)
			o.PID = alivePID
			return o.source("/b")
		}, []string{"another process of yours uses it", "process 4242", "choose another --cluster"}},
		"theirs": {func(k *Kind) string {
			o := markOf(k.me)
			o.Checkout, o.User = "/home/anna/other", "anna"
			return o.source("/b")
		}, []string{"anna on ci7", "/home/anna/other", "choose another --cluster"}},
		"unreadable": {func(*Kind) string { return "/b" }, []string{"may be anybody's", "choose another --cluster"}},
		"unmarked":   {func(*Kind) string { return "" }, []string{"Steamer did not make it", "choose another --cluster"}},
	} {
		k, e, _ := newFake(t, someone(t))
		e.node("a", tc.source(k))
		err := k.Check(t.Context(), Options{Name: "a", Config: kindFile(t, mapped)})
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%s: %v", name, err)
		for _, text := range tc.says {
			require.ErrorContains(t, err, text, name)
		}
		if !strings.HasPrefix(name, "mine") {
			require.NotContains(t, err.Error(), "cluster gc", name)
			require.NotContains(t, err.Error(), "cluster down", name)
			require.NotContains(t, err.Error(), "kind delete", name)
		}
	}
}

// TestReusable: without a name, a run takes the first cluster of its own kind and owner that
// nobody uses, and never one of a name that was given.
func TestReusable(t *testing.T) {
	t.Parallel()
	k, e, _ := newFake(t, someone(t))
	base := k.me.DefaultName()
	add := func(name string, change func(*Owner)) {
		o := markOf(k.me)
		o.Name, o.Keep = name, true
		change(&o)
		e.node(name, o.source(k.registry.dir))
	}
	reusable := func(opts Options) string {
		t.Helper()
		name, err := k.Reusable(t.Context(), opts)
		require.NoError(t, err)
		return name
	}
	add("mine", func(*Owner) {})
	add(base+"-mutants", func(*Owner) {})
	add(base, func(o *Owner) { o.PID = alivePID })
	add(base+"-2", func(o *Owner) { o.UID = 1001 })
	add(base+"-compare", func(*Owner) {})
	e.node(base+"-3", "")
	require.Empty(t, reusable(Options{}))
	require.Equal(t, base+"-compare", reusable(Options{Second: true}))
	add(base+"-4", func(*Owner) {})
	require.Equal(t, base+"-4", reusable(Options{}))
	require.Equal(t, "mine", reusable(Options{Name: "mine"}))
	require.Empty(t, reusable(Options{Name: "none"}))

	removed, err := k.RemoveAbandoned(t.Context(), Options{})
	require.NoError(t, err)
	require.Empty(t, removed, "they are kept")
	add(base+"-5", func(o *Owner) { o.Keep = false })
	add("given", func(o *Owner) { o.Keep = false })
	removed, err = k.RemoveAbandoned(t.Context(), Options{})
	require.NoError(t, err)
	require.Equal(t, []string{base + "-5"}, removed)
}
