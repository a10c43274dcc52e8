package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	kind "sigs.k8s.io/kind/pkg/cluster"
)

// fakeEngine answers the questions that ownership asks, from containers in memory, as docker does.
type fakeEngine struct {
	t          testing.TB
	containers []container
	removed    []string // IDs
	made       int
	networks   bool // the network "kind" is there
	before     func(command string)
}

func (e *fakeEngine) Run(_ context.Context, args ...string) (string, error) {
	if e.before != nil {
		e.before(args[0])
	}
	switch args[0] {
	case "ps":
		label := strings.TrimPrefix(args[len(args)-1], "label=")
		var ids []string
		for _, c := range e.containers {
			if _, ok := c.Config.Labels[label]; ok {
				ids = append(ids, c.ID)
			}
		}
		return strings.Join(ids, "\n"), nil
	case "inspect":
		var list []container
		for _, id := range args[3:] {
			i := slices.IndexFunc(e.containers, func(c container) bool { return c.ID == id })
			if i < 0 {
				return "[]", errors.New("no such container: " + id)
			}
			list = append(list, e.containers[i])
		}
		data, err := json.Marshal(list)
		return string(data), err
	case "rm":
		require.Equal(e.t, []string{"--force", "--volumes"}, args[1:3])
		var err error
		for _, id := range args[3:] {
			i := slices.IndexFunc(e.containers, func(c container) bool { return c.ID == id })
			if i < 0 {
				err = errors.New("no such container: " + id)
				continue
			}
			e.containers = slices.Delete(e.containers, i, i+1)
			e.removed = append(e.removed, id)
		}
		return "", err
	case "network":
		if args[1] == "rm" {
			e.networks = false
		} else if e.networks {
			return "abc", nil
		}
		return "", nil
	}
	e.t.Errorf("the engine is asked to %v", args)
	return "", errors.New("unknown")
}

func (e *fakeEngine) number() string {
	e.made++
	return strconv.Itoa(e.made)
}

// node adds a kind node with a mount at the mark's place, none for "".
func (e *fakeEngine) node(name, source string) string {
	var c container
	c.ID = "id" + e.number() + "-" + name
	c.Config.Labels = map[string]string{kindLabel: name}
	c.Mounts = []mount{{"/lib/modules", "/lib/modules"}}
	if source != "" {
		c.Mounts = append(c.Mounts, mount{source, ownerPath})
	}
	e.containers = append(e.containers, c)
	return c.ID
}

// machine adds a container that stands for a machine beside a cluster.
func (e *fakeEngine) machine(name, mark string) string {
	var c container
	c.ID = "machine" + e.number() + "-" + name
	c.Config.Labels = map[string]string{machineLabel: name}
	if mark != "" {
		c.Config.Labels[markLabel] = mark
	}
	e.containers = append(e.containers, c)
	return c.ID
}

// fakeKind makes nodes with the newest marks of the cache, as kind does with its configuration.
type fakeKind struct {
	k      *Kind
	engine *fakeEngine
	names  []string // of the clusters that it was asked for
	create func(name string) error
}

func (f *fakeKind) Create(name string, _ ...kind.CreateOption) error {
	f.names = append(f.names, name)
	if f.create != nil {
		if err := f.create(name); err != nil {
			return err
		}
	}
	marks, err := f.k.registry.marks(f.k.me)
	for _, o := range marks {
		if o.Name == name {
			f.engine.node(name, o.source(f.k.registry.dir))
		}
	}
	return err
}

const (
	here      = "boot-1"
	alivePID  = 4242 // of a process that started at tick 777
	zombiePID = 4243
	gonePID   = 4244
	startTick = "777"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// someone is an owner with a cache of its own.
func someone(t testing.TB) Identity {
	t.Helper()
	cache, err := realPath(t.TempDir())
	require.NoError(t, err)
	return Identity{Machine: "m1", Host: "ci7", UID: 1000, User: "anna", Checkout: "/home/anna/steamer", Cache: cache}
}

// markOf is a mark of a cluster "a" that was made an hour ago, for two hours, by a process that
// has ended.
func markOf(me Identity) Owner {
	return Owner{
		Version: markVersion, Name: "a", Identity: me, Process: Process{
			Boot: here, Namespace: "pid:[1]", PID: gonePID,
			Start: startTick,
		},
		Run: "r1", Created: noon.Add(-time.Hour), TTL: 2 * time.Hour, HostPort: 18200,
	}
}

// fakeSystem is a /proc with a live process and a zombie.
func fakeSystem(t testing.TB) system {
	t.Helper()
	dir := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	stat := func(pid int, state string) {
		const start, all = 22 - 3, 52 - 3 + 1 // of proc(5)'s fields, counted behind the name
		fields := make([]string, all)
		for i := range fields {
			fields[i] = "0"
		}
		fields[0], fields[start] = state, startTick
		write(fmt.Sprintf("%d/stat", pid), fmt.Sprintf("%d (a name) S 9) %s\n", pid, strings.Join(fields, " ")))
	}
	write("sys/kernel/random/boot_id", here+"\n")
	stat(alivePID, "S")
	stat(zombiePID, "Z")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "self/ns"), 0o755))
	require.NoError(t, os.Symlink("pid:[1]", filepath.Join(dir, "self/ns/pid")))
	return system(dir)
}

// newFake is a manager for me on an engine in memory.
func newFake(t testing.TB, me Identity) (*Kind, *fakeEngine, *fakeKind) {
	t.Helper()
	e := &fakeEngine{t: t, networks: true}
	k := &Kind{
		engine: e, registry: newRegistry(me), me: me, system: fakeSystem(t), pid: alivePID,
		now: func() time.Time { return noon }, log: func(string) {},
	}
	f := &fakeKind{k: k, engine: e}
	k.provider = f
	return k, e, f
}
