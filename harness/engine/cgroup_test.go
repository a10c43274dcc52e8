package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// hierarchy is a directory with the files that a kernel shows for the root of a cgroup v2
// hierarchy. Its write does with them what cgroups(7) says.
type hierarchy struct {
	t    *testing.T
	root string
	born []string // processes that appear while others are moved
}

func newHierarchy(t *testing.T, files map[string]string) *hierarchy {
	h := &hierarchy{t: t, root: t.TempDir()}
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(h.root, name), []byte(text), 0o600))
	}
	return h
}

func (h *hierarchy) read(name string) []string {
	data, err := os.ReadFile(filepath.Join(h.root, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(h.t, err)
	return strings.Fields(string(data))
}

func (h *hierarchy) put(name string, words []string) {
	require.NoError(h.t, os.WriteFile(filepath.Join(h.root, name), []byte(strings.Join(words, "\n")), 0o600))
}

func (h *hierarchy) write(path string, data []byte, _ os.FileMode) error {
	switch name, err := filepath.Rel(h.root, path); {
	case err != nil:
		return err
	case name == "init/cgroup.procs":
		pid := string(data)
		if pid == "13" {
			return syscall.ESRCH // it has ended
		}
		left := []string{}
		for _, other := range h.read("cgroup.procs") {
			if other != pid && other != "13" {
				left = append(left, other)
			}
		}
		h.put("cgroup.procs", append(left, h.born...))
		h.born = nil
		h.put("init/cgroup.procs", append(h.read("init/cgroup.procs"), pid))
	case name == "cgroup.subtree_control":
		if len(h.read("cgroup.procs")) > 0 {
			return syscall.EBUSY
		}
		h.put(name, append(h.read(name), strings.Fields(strings.ReplaceAll(string(data), "+", ""))...))
	default:
		h.t.Errorf("it wrote %s", name)
	}
	return nil
}

func TestNestCgroups(t *testing.T) {
	t.Parallel()
	const controllers = "cpuset cpu io memory pids\n"
	for name, test := range map[string]struct {
		files   map[string]string
		born    []string
		moved   []string
		enabled []string
	}{
		"a job container": {
			files: map[string]string{
				"cgroup.controllers": controllers, "cgroup.type": "domain\n", "cgroup.procs": "1\n7\n",
				"cgroup.subtree_control": "",
			},
			moved: []string{"1", "7"}, enabled: strings.Fields(controllers),
		},
		"a process is born meanwhile, and one ends": {
			files: map[string]string{
				"cgroup.controllers": controllers, "cgroup.type": "domain\n", "cgroup.procs": "1\n13\n",
				"cgroup.subtree_control": "",
			},
			born: []string{"21"}, moved: []string{"1", "21"}, enabled: strings.Fields(controllers),
		},
		"some are enabled already": {
			files: map[string]string{
				"cgroup.controllers": "cpu memory pids", "cgroup.type": "domain\n", "cgroup.procs": "",
				"cgroup.subtree_control": "memory\n",
			},
			moved: nil, enabled: []string{"memory", "cpu", "pids"},
		},
		"all are enabled already": {
			files: map[string]string{
				"cgroup.controllers": "cpu memory", "cgroup.type": "domain\n", "cgroup.procs": "",
				"cgroup.subtree_control": "memory cpu\n",
			},
			moved: nil, enabled: []string{"memory", "cpu"},
		},
		"the machine's own root, which systemd cares for": {
			files: map[string]string{
				"cgroup.controllers": controllers, "cgroup.procs": "2\n3\n",
				"cgroup.subtree_control": "cpu\n",
			},
			moved: nil, enabled: []string{"cpu"},
		},
		"cgroup v1": {files: nil, moved: nil, enabled: nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHierarchy(t, test.files)
			h.born = test.born
			require.NoError(t, nestCgroups(h.root, h.write))
			require.ElementsMatch(t, test.moved, h.read("init/cgroup.procs"))
			require.Equal(t, test.enabled, h.read("cgroup.subtree_control"))
		})
	}
}

// TestNestCgroupsSaysWhatStaysBehind: a process that cannot be moved is the kernel's reason, and
// no silent half of the work.
func TestNestCgroupsSaysWhatStaysBehind(t *testing.T) {
	t.Parallel()
	h := newHierarchy(t, map[string]string{
		"cgroup.controllers": "cpu", "cgroup.type": "domain\n", "cgroup.procs": "1\n",
		"cgroup.subtree_control": "",
	})
	stuck := func(path string, data []byte, mode os.FileMode) error {
		if strings.HasSuffix(path, "init/cgroup.procs") {
			return syscall.EPERM
		}
		return h.write(path, data, mode)
	}
	err := nestCgroups(h.root, stuck)
	require.ErrorIs(t, err, syscall.EBUSY)
	require.ErrorContains(t, err, "controllers cpu cannot be handed down")
}
