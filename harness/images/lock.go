package images

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Locks that limit kinds of work. A Go build uses every core, but not while it links or compiles a
// huge package that others wait for: two at a time fill the gaps. Package installs wait for disk
// and network, and so run beside them.
var goLanes = []string{"go", "go-2"}

const debianLane = "debian"

// lockPoll is how often a lock that someone else holds is tried again.
const lockPoll = 50 * time.Millisecond

// lock takes a lock of the cache, the first that is free of those named, against the goroutines of
// this process and against other processes on the same cache, which would write the same temporary
// files. It returns what releases it. A process that dies releases its locks.
func (b *Builder) lock(ctx context.Context, names ...string) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	dir := filepath.Join(b.Cache, "locks")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		for _, name := range names {
			if release, err := try(filepath.Join(dir, name)); release != nil || err != nil {
				return release, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}

// try takes the lock of a file; release is nil if another holds it. Each open file description has
// its own lock, also within a process.
func try(path string) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return func() { _ = file.Close() }, nil
	}
	_ = file.Close()
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return nil, nil
	}
	return nil, err
}
