package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
)

// home is where the private engine of one cache lives: two caches have two engines, and each cache
// of a machine has one.
type home struct {
	dir  string // socket, process id, state, and the network namespace, pinned
	data string // images and containers, in the cache
}

// mark is the file in a home that says whose it is. A directory without it, or with another
// cache's, is not ours.
type mark struct {
	Data      string `json:"data"`      // see home
	Namespace uint64 `json:"namespace"` // inode of the network namespace that is pinned; 0 before there is one
}

// homeOf names the engine's directory after its data, by a path that does not depend on how it was
// written.
func homeOf(data string) (home, error) {
	abs, err := filepath.Abs(data)
	if err != nil {
		return home{}, err
	}
	for parent, rest := abs, ""; parent != "/"; parent, rest = filepath.Dir(parent), filepath.Join(filepath.Base(parent),
		rest) {
		// The cache is made on demand.
		if followed, err := filepath.EvalSymlinks(parent); err == nil {
			abs = filepath.Join(followed, rest)
			break
		}
	}
	sum := sha256.Sum256([]byte(abs))
	return home{dir: filepath.Join(runRoot, "engine-"+hex.EncodeToString(sum[:6])), data: abs}, nil
}

// socketOf is the value of DOCKER_HOST that leads to the private engine of these options.
func socketOf(opts Options) string {
	h, err := homeOf(opts.DataDir)
	if err != nil {
		return ""
	}
	return h.socket()
}

func (h home) path(name string) string { return filepath.Join(h.dir, name) }
func (h home) socket() string          { return "unix://" + h.path("docker.sock") }
func (h home) pin() string             { return h.path("net") }
func (h home) pidFile() string         { return h.path("dockerd.pid") }
func (h home) markFile() string        { return h.path("steamer.json") }
func (h home) keepFile() string        { return h.path("keep") }

// The locks lie beside the directory, which goes while they are held: changing is held while the
// engine is started or stopped, by one process; using by all processes that are in the namespace,
// and alone by one that stops the engine.
func (h home) changing() string { return h.dir + ".lock" }
func (h home) using() string    { return h.dir + ".use" }

// foreign refuses what lies where the engine would, and is not Steamer's.
func (h home) foreign(format string, args ...any) error {
	return exit.Environmentf("private engine "+h.dir,
		"find out whose it is and remove it, or use another cache (--cache or STEAMER_CACHE)", "%w; nothing was touched",
		fmt.Errorf(format, args...))
}

// read returns the mark; it is nil where there is no engine. What is there without being ours is
// an error of code exit.Environment.
func (h home) read() (*mark, error) {
	var stat unix.Stat_t
	err := unix.Lstat(h.dir, &stat)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", h.dir, err)
	case stat.Mode&unix.S_IFMT != unix.S_IFDIR:
		return nil, h.foreign("it is not a directory")
	case int(stat.Uid) != os.Geteuid():
		return nil, h.foreign("it belongs to user %d", stat.Uid)
	}
	data, err := os.ReadFile(h.markFile())
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(h.dir)
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 { // a process that was making it has died
			return &mark{Data: h.data}, nil
		}
		return nil, h.foreign("it exists without Steamer's mark (%s)", filepath.Base(h.markFile()))
	}
	if err != nil {
		return nil, err
	}
	var m mark
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, h.foreign("its mark cannot be read: %w", err)
	}
	if m.Data != h.data {
		return nil, h.foreign("its mark names another cache: %s", m.Data)
	}
	return &m, nil
}

// write writes the mark as a whole or not at all.
func (h home) write(m mark) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.dir, 0o710); err != nil {
		return err
	}
	partial := h.markFile() + ".partial"
	if err := os.WriteFile(partial, data, 0o600); err != nil {
		return err
	}
	return os.Rename(partial, h.markFile())
}

// remove removes what the engine had on the host outside its data: mounts first, among them those
// of containers that a killed daemon left, and the namespace's pin.
func (h home) remove() error {
	failures := []error{UnmountBelow(h.dir), UnmountBelow(h.data)}
	if errors.Join(failures...) == nil { // else RemoveAll would reach through a mount
		failures = append(failures, os.RemoveAll(h.dir))
	}
	return errors.Join(failures...)
}

// UnmountBelow unmounts what is mounted at or below a directory, the last mount first. What does
// not exist has no mounts.
func UnmountBelow(dir string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var failures []error
	points := mountsBelow(string(data), dir)
	for i := len(points) - 1; i >= 0; i-- {
		if err := unix.Unmount(points[i], unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil &&
			!errors.Is(err, unix.EINVAL) { // not mounted any more
			failures = append(failures, fmt.Errorf("unmount %s: %w", points[i], err))
		}
	}
	return errors.Join(failures...)
}

// mountsBelow lists the mount points of a mountinfo (proc_pid_mountinfo(5)) that are a directory
// or below it, in the order of mounting.
func mountsBelow(mountinfo, dir string) []string {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if point := unescape.Replace(fields[4]); point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points
}
