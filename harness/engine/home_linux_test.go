package engine

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestHomeOfOneCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
	require.NoError(t, os.Symlink("real", filepath.Join(dir, "link")))
	one, err := homeOf(filepath.Join(dir, "real", "steamer", "engine"))
	require.NoError(t, err)
	same, err := homeOf(filepath.Join(dir, "link", "..", "link", "steamer", "engine"))
	require.NoError(t, err)
	other, err := homeOf(filepath.Join(dir, "steamer", "engine"))
	require.NoError(t, err)
	require.Equal(t, one, same)
	require.NotEqual(t, one.dir, other.dir)
	require.Less(t, len(one.path("exec/containerd/containerd-debug.sock")), 108,
		"the kernel's limit for the path of a socket")
}

// TestLockOfALiveProcess: a lock that a live process holds is waited for, and then said to be its;
// when the process dies it is free, and the file is removed while others wait for it.
func TestLockOfALiveProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	holder := program(t, "hold", path).begin(t)
	require.Equal(t, "held", holder.line(t))
	owner := "process " + strconv.Itoa(holder.Process.Pid)
	_, err := tryLock(path, unix.LOCK_SH)
	require.ErrorIs(t, err, errHeld)
	var told string
	_, err = awaitLock(t.Context(), path, 3*pollInterval, func(holders string) { told += holders })
	require.Equal(t, exit.Environment, exit.CodeOf(err))
	require.ErrorContains(t, err, owner)
	require.Contains(t, told, owner)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = awaitLock(ctx, path, time.Minute, nil)
	require.ErrorIs(t, err, context.Canceled)

	got := make(chan *lock)
	go func() {
		l, err := awaitLock(t.Context(), path, time.Minute, nil)
		if err == nil {
			got <- l
		}
		close(got)
	}()
	require.NoError(t, holder.Process.Kill())
	l := <-got
	require.NotNil(t, l)
	require.True(t, l.at(path))
	require.NoError(t, os.Remove(path))
	next, err := tryLock(path, unix.LOCK_EX)
	require.NoError(t, err, "the removed file's lock is nobody's concern")
	require.False(t, l.at(path))
	l.release()
	shared, err := tryLock(path, unix.LOCK_SH)
	require.Nil(t, shared)
	require.ErrorIs(t, err, errHeld)
	require.NoError(t, next.change(unix.LOCK_SH))
	shared, err = tryLock(path, unix.LOCK_SH)
	require.NoError(t, err)
	shared.release()
	next.release()
}

func TestLockedBy(t *testing.T) {
	t.Parallel()
	dev := unix.Mkdev(0xfe, 1)
	locks := "1: FLOCK  ADVISORY  WRITE 12065 fe:01:4711 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 77 fe:01:4711 0 EOF\n" +
		"2: OFDLCK ADVISORY  READ -1 fe:01:4711 0 EOF\n3: FLOCK  ADVISORY  READ 9 fe:01:47110 0 EOF\n4: POSIX  ADVISORY  " +
		"READ 8 fe:01:4711 0 EOF\n" +
		"5: FLOCK  ADVISORY  READ 31 fe:01:4711 0 EOF\nbroken\n"
	require.Equal(t, []int{12065, 31}, lockedBy(locks, dev, 4711))
	require.Empty(t, lockedBy("", dev, 4711))
}

func TestMountsBelow(t *testing.T) {
	t.Parallel()
	mountinfo := "22 1 0:20 / /run rw shared:5 - tmpfs tmpfs rw\n23 22 0:4 net:[4026532] /run/steamer/engine-1/net rw " +
		"- nsfs nsfs rw\n" +
		"24 22 0:50 / /run/steamer/engine-1/a\\040b rw - overlay overlay rw\n25 22 0:4 net:[1] /run/steamer/engine-12/net " +
		"rw - nsfs nsfs rw\nshort\n"
	require.Equal(t, []string{"/run/steamer/engine-1/net", "/run/steamer/engine-1/a b"},
		mountsBelow(mountinfo, "/run/steamer/engine-1"))
}

func TestWayOut(t *testing.T) {
	t.Parallel()
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	const bridge = "br-0123\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
	const none6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 " +
		"00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
	require.Empty(t, wayOut("", ""))
	require.Empty(t, wayOut(head+bridge, none6))
	require.Equal(t, "default by eth0", wayOut(head+bridge+"eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
		none6))
	require.Equal(t, "default (IPv6) by eth0", wayOut(head+bridge, none6+strings.Replace(none6, "      lo", "    eth0",
		1)))
}

// TestListener: who listens on a socket is seen by its number, and not from outside its PID
// namespace.
func TestListener(t *testing.T) {
	root(t)
	socket := filepath.Join(t.TempDir(), "socket")
	beside := program(t, "listen", socket).begin(t)
	require.Equal(t, "listening", beside.line(t))
	require.Equal(t, beside.Process.Pid, listener(t.Context(), socket))
	require.Equal(t, -1, listener(t.Context(), socket+".gone"))

	// The other way round: a process that is alone in a PID namespace of its own, as a job's
	// container is, does not see who listens.
	self, err := os.Executable()
	require.NoError(t, err)
	alone := exec.CommandContext(t.Context(), self)
	alone.Env = append(os.Environ(), programVariable+"=peer", "STEAMER_ENGINE_TEST_DATA="+socket)
	alone.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	out, err := alone.Output()
	require.NoError(t, err)
	require.Equal(t, "0\n", string(out))
}
