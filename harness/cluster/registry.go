package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// registry is the directory of mark files and kubeconfigs of one cache. It says nothing about
// whose a cluster is: the cluster itself does.
type registry struct{ dir string }

func newRegistry(me Identity) registry { return registry{filepath.Join(me.Cache, "clusters")} }

// kubeconfig is the cluster's own: another engine may have a cluster of the same name.
func (r registry) kubeconfig(o Owner) string {
	return filepath.Join(r.dir, o.Name+"-"+digest(o.text())[:8]+".kubeconfig")
}

// uses are the mark files that this process has locked. A mark file is locked by everybody who
// uses its cluster, shared, for as long as they live: the kernel takes the lock from a process
// that dies, whatever namespace it was in.
var uses = struct { //nolint:gochecknoglobals // the locks are the process's own
	sync.Mutex
	files map[string]*os.File
	made  map[string]bool // of clusters that this process made
}{files: map[string]*os.File{}, made: map[string]bool{}}

// write makes the file that the mark's mounts have as their source, and takes its lock.
func (r registry) write(o Owner) error {
	path := o.source(r.dir)
	err := fs.ErrNotExist
	// forget of another process may remove what MkdirAll has just made.
	for try := 0; try < 10 && errors.Is(err, fs.ErrNotExist); try++ {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, []byte(o.text()+"\n"), 0o600)
		}
	}
	if err != nil {
		return err
	}
	uses.Lock()
	uses.made[path] = true
	uses.Unlock()
	return r.use(o)
}

// use says that this process uses a cluster, until it ends or forgets the cluster. A mark without
// a file has no lock.
func (r registry) use(o Owner) error {
	path := o.source(r.dir)
	uses.Lock()
	defer uses.Unlock()
	if uses.files[path] != nil {
		return nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return errors.Join(err, file.Close())
	}
	uses.files[path] = file
	return nil
}

// made reports whether this process made the mark.
func (r registry) made(o Owner) bool {
	uses.Lock()
	defer uses.Unlock()
	return uses.made[o.source(r.dir)]
}

// life reports whether another process uses a cluster.
func (r registry) life(o Owner) Life {
	path := o.source(r.dir)
	uses.Lock()
	defer uses.Unlock()
	file, own := uses.files[path], true
	if file == nil {
		var err error
		if file, err = os.Open(path); err != nil {
			return Unknown
		}
		defer file.Close()
		own = false
	}
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) // of one's own file this changes the lock
	if own {
		err = errors.Join(err, unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB))
	}
	switch {
	case err == nil:
		return Gone
	case errors.Is(err, unix.EWOULDBLOCK):
		return Alive
	default:
		return Unknown
	}
}

// marks returns the marks of an owner in the registry, whether an engine runs or not.
func (r registry) marks(me Identity) ([]Owner, error) {
	var marks []Owner
	err := filepath.WalkDir(filepath.Join(r.dir, markDir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if o, err := parseSource(path); err == nil && o.same(me) {
			marks = append(marks, o)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return marks, err
}

// forget removes a mark's file and kubeconfig, and the directories that it leaves empty.
func (r registry) forget(o Owner) error {
	path := o.source(r.dir)
	uses.Lock()
	defer uses.Unlock()
	if file := uses.files[path]; file != nil {
		_ = file.Close()
		delete(uses.files, path)
	}
	delete(uses.made, path)
	var failures []error
	for _, path := range []string{path, r.kubeconfig(o), r.kubeconfig(o) + ".lock"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failures = append(failures, err)
		}
	}
	for dir := filepath.Dir(path); strings.HasPrefix(dir, r.dir+"/"); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil { // another mark is in it
			break
		}
	}
	return errors.Join(failures...)
}

// Marked reports whether marks of this owner are in its cache, and so clusters may be on an engine
// that does not run.
func Marked(me Identity) (bool, error) {
	marks, err := newRegistry(me).marks(me)
	return len(marks) > 0, err
}
