package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
)

// lockTimeout bounds the wait for a process that starts or stops the engine: longer than either
// may take.
const lockTimeout = startTimeout + stopTimeout + 30*time.Second

// lock is a flock(2) on a file. The kernel releases it when the process dies, however that
// happens. Programs that the process starts do not inherit it.
type lock struct{ file *os.File }

// errHeld says that another process has the lock.
var errHeld = errors.New("another process holds the lock")

// tryLock takes a lock, exclusive (unix.LOCK_EX) or shared (unix.LOCK_SH), or returns errHeld. The
// file is made on demand; it may be removed by who holds it alone.
func tryLock(path string, how int) (*lock, error) {
	for {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if errors.Is(err, fs.ErrNotExist) { // the directory has just been removed
			continue
		}
		if err != nil {
			return nil, err
		}
		l := &lock{file}
		if err := l.change(how); err != nil {
			l.release()
			return nil, err
		}
		if l.at(path) {
			return l, nil
		}
		l.release() // the file was removed between opening and locking it: another one counts now
	}
}

// change makes the lock exclusive or shared, or returns errHeld; it may be lost then.
func (l *lock) change(how int) error {
	for {
		err := unix.Flock(int(l.file.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errHeld
		default:
			return fmt.Errorf("lock %s: %w", l.file.Name(), err)
		}
	}
}

// at reports whether the locked file is still the one at path.
func (l *lock) at(path string) bool {
	own, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(own, there)
}

func (l *lock) release() { _ = l.file.Close() }

// awaitLock takes a lock that nobody shares, and waits for it for at most limit. waiting is called
// once with those who hold it. The error is of code exit.Environment.
func awaitLock(ctx context.Context, path string, limit time.Duration, waiting func(holders string)) (*lock, error) {
	deadline, ticker := time.NewTimer(limit), time.NewTicker(pollInterval)
	defer deadline.Stop()
	defer ticker.Stop()
	for told := false; ; {
		l, err := tryLock(path, unix.LOCK_EX)
		if !errors.Is(err, errHeld) {
			return l, err
		}
		if !told && waiting != nil {
			waiting(holders(path))
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline.C:
			return nil, exit.Environmentf("private engine", "wait for it or end it", "%s has held the lock %s for %s",
				holders(path), path, limit)
		case <-ticker.C:
		}
	}
}

// holders names the processes that have a lock, without their arguments, which may hold
// secrets.
func holders(path string) string {
	unknown := "another process"
	var stat unix.Stat_t
	if unix.Stat(path, &stat) != nil {
		return unknown
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return unknown
	}
	var names []string
	for _, pid := range lockedBy(string(locks), stat.Dev, stat.Ino) {
		if pid == os.Getpid() {
			continue
		}
		names = append(names, fmt.Sprintf("process %d (%s)", pid, nameOf(pid)))
	}
	if len(names) == 0 {
		return unknown
	}
	return strings.Join(names, ", ")
}

// lockedBy lists the processes that have a flock on a file, from /proc/locks (proc_locks(5)).
func lockedBy(locks string, dev, inode uint64) []int {
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), inode)
	var pids []int
	for line := range strings.Lines(locks) {
		fields := strings.Fields(line) // 1: FLOCK ADVISORY WRITE 1234 00:19:4711 0 EOF; one who waits has "->" as second
		if len(fields) < 6 || fields[1] != "FLOCK" || fields[5] != file {
			continue
		}
		if pid, err := strconv.Atoi(fields[4]); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
