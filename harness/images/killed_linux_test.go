package images

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// cacheVariable makes TestAsSteamer begin to build in this cache.
const cacheVariable = "STEAMER_TEST_KILLED_CACHE"

// TestAsSteamer is the process that is killed in the tests below.
func TestAsSteamer(t *testing.T) {
	cache := os.Getenv(cacheVariable)
	if cache == "" {
		t.Skip("a part of the tests below")
	}
	b := &Builder{Cache: cache}
	_, err := b.debianRoot(t.Context(), proxyRootfs(), []string{"a=1"})
	require.NoError(t, err)
}

// fakeMmdebstrap stands for mmdebstrap on the PATH: it mounts in its tree, starts a program and
// waits, or writes the archive where the file "answer" is beside it.
const fakeMmdebstrap = `#!/bin/sh
set -e
for archive; do
	case $archive in *.tar) [ -e "$(dirname "$0")/answer" ] && { ls "$TMPDIR" >"$archive"; exit; } ;; esac
done
mkdir -p "$TMPDIR/tree/proc"
mount -t tmpfs steamer-test "$TMPDIR/tree/proc"
touch "$TMPDIR/tree/proc/mounted" "$TMPDIR/log"
tail -f "$TMPDIR/log" &
touch "$TMPDIR/begun" # after the program: SIGTERM ends it, and not a shell that is process 1
wait
`

// TestKilledBuildLeavesNoMount: whichever process is killed, none goes on, the host's mount table
// never holds what was mounted, and the next build removes the tree.
func TestKilledBuildLeavesNoMount(t *testing.T) {
	if !administers() {
		t.Skip("only CAP_SYS_ADMIN can mount")
	}
	for name, kill := range map[string]func(t *testing.T, steamer *exec.Cmd, work string){
		"Steamer": func(t *testing.T, steamer *exec.Cmd, _ string) {
			t.Helper()
			require.NoError(t, steamer.Process.Kill())
		},
		"mmdebstrap": func(t *testing.T, _ *exec.Cmd, work string) {
			t.Helper()
			require.NoError(t, syscall.Kill(slices.Min(mentioning(t, work)), syscall.SIGKILL)) // it started the others
		},
		"the cancelled build": func(t *testing.T, _ *exec.Cmd, work string) {
			t.Helper()
			for _, pid := range mentioning(t, work) {
				require.NoError(t, syscall.Kill(pid, syscall.SIGTERM))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bin, cache := t.TempDir(), t.TempDir()
			t.Cleanup(func() { require.NoError(t, removeTree(cache)) }) // also of a build without namespaces
			writeFile(t, bin, "mmdebstrap", fakeMmdebstrap)
			require.NoError(t, os.Chmod(filepath.Join(bin, "mmdebstrap"), 0o755))
			t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			work := filepath.Join(cache, "rootfs", debianLane)
			steamer := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAsSteamer$")
			steamer.Env = append(os.Environ(), cacheVariable+"="+cache)
			require.NoError(t, steamer.Start())
			ended := make(chan error, 1)
			go func() { ended <- steamer.Wait() }()
			require.Eventually(t, func() bool { return exists(filepath.Join(work, "begun")) }, 20*time.Second,
				10*time.Millisecond)
			requireNoMount(t, cache)
			require.NotEmpty(t, mentioning(t, work))

			kill(t, steamer, work)

			require.Eventually(t, func() bool { return len(ended) == 1 }, 20*time.Second, 10*time.Millisecond)
			require.Eventually(t, func() bool { return len(mentioning(t, work)) == 0 }, 10*time.Second, 10*time.Millisecond)
			requireNoMount(t, cache)
			writeFile(t, bin, "answer", "")
			next := &Builder{Cache: cache}
			archive, err := next.debianRoot(t.Context(), proxyRootfs(), []string{"a=1"})
			require.NoError(t, err)
			seen, err := os.ReadFile(archive)
			require.NoError(t, err)
			require.Equal(t, "root.tar\n", string(seen), "nothing of the dead process is in the way")
			require.NoDirExists(t, work)
		})
	}
}

// TestRemovingSparesMounts: a tree in which something of the host is mounted, as a process without
// namespaces may have left it, goes without what is mounted there.
func TestRemovingSparesMounts(t *testing.T) {
	if !administers() {
		t.Skip("only CAP_SYS_ADMIN can mount")
	}
	cache, host := filepath.Join(t.TempDir(), "link"), t.TempDir()
	require.NoError(t, os.Symlink(t.TempDir(), cache))
	writeFile(t, host, "precious", "")
	b := &Builder{Cache: cache}
	dir, err := b.emptyDir("rootfs", "tree")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sys"), 0o755))
	require.NoError(t, unix.Mount(host, filepath.Join(dir, "sys"), "", unix.MS_BIND, ""))
	dir, err = b.emptyDir("rootfs", "tree")
	require.NoError(t, err)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.FileExists(t, filepath.Join(host, "precious"))
}

func requireNoMount(t *testing.T, dir string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), dir)
}

// mentioning lists the processes whose arguments name a path.
func mentioning(t *testing.T, path string) []int {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	var pids []int
	for _, dir := range found {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && strings.Contains(arguments(pid), path) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func arguments(pid int) string {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return "" // it has ended
	}
	return strings.ReplaceAll(string(data), "\x00", " ")
}
