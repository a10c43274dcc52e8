package images

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Locks that serialise kinds of work. Go builds use every core; package installs wait for disk and
// network, and so run beside them.
const (
	goLane     = "go"
	debianLane = "debian"
)

// lockPoll is how often a lock that someone else holds is tried again.
const lockPoll = 50 * time.Millisecond

// lock takes a lock of the cache, by name, against the goroutines of this process and against
// other processes on the same cache, which would write the same temporary files. It returns what
// releases it. A process that dies releases its locks.
func (b *Builder) lock(ctx context.Context, name string) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	dir := filepath.Join(b.Cache, "locks")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		// Each open file description has its own lock, also within a process.
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = file.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}
